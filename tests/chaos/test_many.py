"""Promise of several servers: what one of them had, another goes on with, and nothing happens twice."""

from collections.abc import Callable

import pytest

from tests.chaos.many import RUNS, Many, at, table
from tests.chaos.witness import Seen, held_by, strangers, went_on
from tests.e2e.lab import Lab
from tests.runs.postgres import postgres

__all__ = ["postgres"]


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_fifty_runs_lose_three_servers(
    lab: Lab, postgres: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """FL-K10, FL-K11: how long they wait is no part of this test, for the machine may be busy."""
    found = Many(lab, postgres(), RUNS).go()
    with capsys.disabled():
        print("\n" + table(found))
    assert found.problems == []


SEEN = [
    Seen(1, "a", "held", "first"),
    Seen(1, "a", "held", "second"),
    Seen(2, "a", "recorded", "first"),
    Seen(3, "a", "ended", "second"),
    Seen(14, "b", "held", "first"),
    Seen(15, "a", "recorded", "first"),
    Seen(16, "b", "recorded", "first"),
]


def test_a_run_is_of_the_process_that_took_it_up_last() -> None:
    assert held_by(SEEN, "a", 2.5) == {"first", "second"}
    assert held_by(SEEN, "a", 5) == {"first"}
    assert (held_by(SEEN, "a", 14), held_by(SEEN, "b", 14)) == (set(), {"first"})


def test_how_long_a_run_waits_is_counted_from_the_loss() -> None:
    assert (went_on(SEEN, "held", "a", 4), went_on(SEEN, "recorded", "a", 4)) == ([10], [12])


def test_a_step_that_a_process_records_for_the_run_of_another_is_found() -> None:
    assert strangers(SEEN) == [Seen(15, "a", "recorded", "first")]


def test_a_share_of_all_is_no_less_than_that_share() -> None:
    assert [at([1.0, 2.0, 3.0], share) for share in (0, 0.5, 0.95, 1)] == [1, 2, 3, 3]
