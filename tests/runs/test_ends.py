"""How often failing checks go back to the model, and work that ends before it began: by what the steps of a run have returned."""

from typing import Any

from tests.runs.test_pipeline import CALLS, COMMITTED, DONE, GATED, PULLED, RESULTS, Recorded, Step, begun

Json = dict[str, Any]


def verified(*, failing: bool = False, mend: bool = False) -> Step:
    checks = [{"type": "Check", "command": "make", "exit_code": 1, "output": "", "seconds": 1.0}] if failing else []
    return "verify", {"checks": checks, "failing": failing, "mend": mend, "stopped": None, "on_base": []}


async def test_a_task_that_was_stopped_before_it_began_makes_nothing() -> None:
    run = Recorded(("begin", {"stopped": "Stopped by @bob before it began.", "events": []}))
    assert await run.outcome() == ("stopped", "Stopped by @bob before it began.")


async def test_failing_checks_go_back_three_times() -> None:
    again = [DONE, GATED, verified(failing=True, mend=True)]
    run = Recorded(*begun(), *again, *again, *again, DONE, GATED, verified(failing=True), COMMITTED, PULLED)
    assert await run.outcome() == ("draft", "A check failed.")
    assert [given[-1] is None for given in run.given("verify")] == [False, False, False, True]


async def test_failing_checks_of_work_that_was_cut_short_do_not_go_back() -> None:
    """It is published as it is: the model is not to go on behind a limit or a stop."""
    over: Step = ("turn", {"ended": {"how": "limit", "why": "The limit of $2.00 for this task is reached."}})
    run = Recorded(*begun(), CALLS, RESULTS, over, GATED, verified(failing=True), COMMITTED, PULLED)
    assert await run.outcome() == ("draft", "The limit of $2.00 for this task is reached.")
    assert [given[-1] for given in run.given("verify")] == [None]
