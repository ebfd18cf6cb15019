"""Promise of a server that is killed: nothing is lost, and nothing happens twice."""

import threading
from collections.abc import Callable

import pytest

from tests.chaos.kills import chaos, seed_of
from tests.chaos.log import STAGES, Run, stage
from tests.chaos.tally import Problem, Tally, boundary, table
from tests.e2e.lab import Lab
from tests.runs.postgres import postgres

__all__ = ["postgres"]
KILLS = 105
"""On each of the two databases. A short form, which is always run, is tests/e2e/test_kill.py."""
LEAST = 10
"""Of them in each stage."""


@pytest.mark.chaos
@pytest.mark.timeout(3 * 3600)
def test_two_hundred_kills(
    lab: Lab, postgres: Callable[[], str], record_property: Callable[[str, object], None]
) -> None:
    """FL-K01, FL-K02, FL-K04, FL-K05, FL-K06, FL-K07, FL-K08: wherever a process was killed, on both databases, side by side."""
    tallies = {Tally("sqlite", seed_of(None)): "", Tally("postgresql", seed_of(None)): postgres()}
    killing = [threading.Thread(target=chaos, args=(lab, *of, KILLS), daemon=True) for of in tallies.items()]
    try:
        for thread in killing:
            thread.start()
        for thread in killing:
            thread.join()
    finally:
        record_property("table", table(tallies))
    assert [tally.problems for tally in tallies] == [[], []]
    assert all(tally.over for tally in tallies)
    for tally in tallies:
        assert min(tally.kills[name] for name in STAGES) >= LEAST, tally.database
    for case in ("FL-K01", "FL-K02", "FL-K04", "FL-K05", "FL-K06", "FL-K07", "FL-K08"):
        assert sum(tally.boundaries[case] for tally in tallies), case


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


@pytest.mark.parametrize(
    ("stage", "step", "expected"),
    [
        ("queued", "", "FL-K01"),
        ("prepare", "", ""),
        ("prepare", "begin", "FL-K03"),
        ("work", "prepare", "FL-K04"),
        ("work", "turn", "FL-K05"),
        ("gate", "turn", ""),
        ("report", "pull", ""),
        ("report", "end", "FL-K09"),
    ],
)
def test_the_boundary_that_a_kill_hit(stage: str, step: str, expected: str) -> None:
    assert boundary(Run("c-1-2", stage, step, 3, "c-1-2.1")) == expected


def test_a_kill_counts_once_and_a_task_is_lost_once() -> None:
    tally = Tally("sqlite", 1)
    tally.hit([Run("a", "work", "turn", 5, "a.1"), Run("b", "work", "turn", 5, "b.1")])
    tally.hit([Run("a", "work", "tools", 6, "a.1"), Run("c", "publish", "verify", 8, "c.1")], "FL-K06")
    tally.hit([])
    lost = [Problem("lost", "no comment"), Problem("lost", "no pull request", 2)]
    tally.found("thread", [*lost, Problem("doubled", "effect", 2), Problem("wrong", "a wide token")])
    tally.found("edits", [Problem("lost", "no pull request")])
    assert tally.kills == {"work": 1, "publish": 1}
    assert tally.runs == {"work": 3, "publish": 1}
    assert (tally.boundaries["FL-K04"], tally.boundaries["FL-K05"], tally.boundaries["FL-K06"]) == (1, 1, 1)
    assert (tally.lost, tally.doubled, len(tally.problems)) == (3, 2, 5)
    assert "| **lost** | **3** |" in table([tally])
