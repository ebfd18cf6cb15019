"""All mutants."""

from tests.mutants import (
    alone,
    asking,
    durable,
    e2b,
    gate,
    github,
    model,
    published,
    runs,
    sandbox,
    tools,
    web,
    words,
)

AREAS = (alone, asking, durable, e2b, gate, github, model, published, runs, sandbox, tools, web, words)
MUTANTS = tuple(mutant for area in AREAS for mutant in area.MUTANTS)
