"""The agent's hands."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "a turn makes twenty calls",
        "app/tools/base.py",
        "groups(calls[:MOST])",
        "groups(calls)",
        ("tests/tools/test_calls.py",),
    ),
)
