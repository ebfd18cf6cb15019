"""All mutants."""

from tests.mutants import (
    alone,
    asking,
    durable,
    e2b,
    edge,
    gate,
    github,
    manifests,
    model,
    published,
    runs,
    sandbox,
    shown,
    tokens,
    told,
    tools,
    trigger,
    web,
)

AREAS = (
    alone,
    asking,
    durable,
    e2b,
    edge,
    gate,
    github,
    manifests,
    model,
    published,
    runs,
    sandbox,
    shown,
    tokens,
    told,
    tools,
    trigger,
    web,
)
MUTANTS = tuple(mutant for area in AREAS for mutant in area.MUTANTS)
