"""Promise of a server that is killed: nothing is lost, and nothing happens twice."""

from collections.abc import Callable

import pytest

from tests.chaos.kills import chaos, seed_of, table
from tests.chaos.log import STAGES, stage
from tests.e2e.lab import Lab
from tests.runs.postgres import postgres

__all__ = ["postgres"]
KILLS = 105
LEAST = 10


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_two_hundred_kills(lab: Lab, postgres: Callable[[], str], capsys: pytest.CaptureFixture[str]) -> None:
    """FL-K01, FL-K02, FL-K03, FL-K04: before, in and behind every step, on both databases."""
    tallies = [
        chaos(lab, "sqlite", "", KILLS, seed_of(None)),
        chaos(lab, "postgresql", postgres(), KILLS, seed_of(None)),
    ]
    with capsys.disabled():
        print("\n" + table(tallies))
    assert [tally.problems for tally in tallies] == [[], []]
    for name in STAGES:
        assert sum(tally.kills[name] for tally in tallies) >= LEAST, name


@pytest.mark.parametrize(
    ("status", "step", "output", "expected"),
    [
        (None, "", {}, "queued"),
        ("ENQUEUED", "", {}, "queued"),
        ("PENDING", "", {}, "prepare"),
        ("ENQUEUED", "tools", {}, "work"),  # handed over, or taken from a process that is gone
        ("PENDING", "prepare", {}, "work"),
        ("PENDING", "turn", {"stop_reason": "tool_use"}, "work"),
        ("PENDING", "turn", {"stop_reason": "end_turn"}, "gate"),
        ("PENDING", "turn", {"ended": {"how": "stopped"}}, "gate"),
        ("PENDING", "gate", {"changes": 1}, "verify"),
        ("PENDING", "gate", {"changes": 0}, "report"),
        ("PENDING", "verify", {"mend": True}, "work"),
        ("PENDING", "verify", {"mend": False}, "publish"),
        ("PENDING", "commit", {}, "publish"),
        ("PENDING", "end", {}, "report"),
    ],
)
def test_the_stage_that_a_kill_hit(status: str | None, step: str, output: dict[str, object], expected: str) -> None:
    assert stage(status, step, output) == expected
