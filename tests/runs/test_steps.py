"""What people are told when a step meets trouble, and what only the log is told."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.core.errors import Transient, UserError
from app.github.errors import Conflict, NotFound, Refused
from app.runs.steps import BUG, LONGEST_WAIT, TRIES, Failed, GivenUp, Gone, after, attempt, attempt_once, checked
from app.sandbox.base import SandboxGone

Json = dict[str, Any]


class Body:
    """Raises these one after the other, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.tries = 0
        self._errors = errors

    async def __call__(self, given: str) -> Json:
        self.tries += 1
        if self.tries <= len(self._errors):
            raise self._errors[self.tries - 1]
        return {"given": given}


def passing(seconds: float | None = 0) -> Transient:
    return Transient("GitHub has trouble.", seconds)


async def test_what_succeeds_is_returned_as_it_is() -> None:
    assert await attempt(Body(), "x") == {"given": "x"}


async def test_trouble_that_passes_is_not_told() -> None:
    body = Body(*[passing()] * (TRIES - 1))
    assert await attempt(body, "x") == {"given": "x"}
    assert body.tries == TRIES


async def test_trouble_that_stays_ends_after_the_last_try() -> None:
    body = Body(*[passing()] * 100)
    failed = await attempt(body, "x")
    assert body.tries == TRIES
    assert failed["failed"] == f"GitHub has trouble. It did not pass after {TRIES} tries; ask again later."
    assert failed["events"] == [{"type": "Error", "message": failed["failed"]}]


async def test_a_wait_longer_than_anybody_waits_ends_the_tries_at_once() -> None:
    body = Body(passing(95 * 60))
    failed = await attempt(body, "x")
    assert body.tries == 1
    assert failed["failed"] == (
        "GitHub has trouble. The next try is allowed in 95 minutes, and a run waits an hour at most; ask again then."
    )


async def test_the_other_sides_wait_is_kept_and_its_log_line_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """FL-G02, FL-G03"""
    await attempt(Body(passing(0.04)), "x")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "step tried again in 0.0 s: GitHub has trouble."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (lambda: UserError("Set a test command."), "Set a test command."),
        (lambda: Refused("The repository is archived."), "The repository is archived."),
        (lambda: Conflict("Reference already exists"), "GitHub did not accept it: Reference already exists"),
        (
            lambda: NotFound("Not Found"),
            "GitHub does not show what is needed here any more: was something deleted or renamed, or the access of the App "
            "or of GITHUB_TOKEN taken away?",
        ),
    ],
)
async def test_what_people_can_mend_is_said_once_and_in_their_words(
    error: Callable[[], Exception], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = Body(error())
    assert await attempt(body, "x") == {"failed": said, "events": [{"type": "Error", "message": said}]}
    assert body.tries == 1
    assert caplog.records == []


async def test_a_bug_is_one_bland_line_for_people_and_whole_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    body = Body(KeyError("an inner detail"))
    assert (await attempt(body, "x"))["failed"] == BUG
    assert body.tries == 1
    assert "an inner detail" not in BUG
    (record,) = caplog.records
    assert record.exc_info
    assert "an inner detail" in str(record.exc_info[1])


@pytest.mark.parametrize("output", [{"text": "\ud800"}, {"at": object()}])
async def test_what_can_not_be_recorded_is_a_bug_of_its_step_and_not_the_end_of_the_run(output: Json) -> None:
    async def body() -> Json:
        return output

    assert (await attempt(body))["failed"] == BUG


async def test_a_failure_is_raised_from_the_record_as_often_as_it_is_read() -> None:
    recorded = await attempt(Body(UserError("Set a test command.")), "x")
    for _ in range(2):
        with pytest.raises(Failed, match="Set a test command"):
            checked(recorded)
    assert checked({"fine": 1}) == {"fine": 1}


async def test_a_lost_sandbox_is_told_from_other_failures() -> None:
    """FL-E02"""
    recorded = await attempt(Body(SandboxGone("run-1")), "x")
    with pytest.raises(Gone):
        checked(recorded)
    assert recorded["events"] == []


class Stopping:
    """`said` to the process, or only to the one before it."""

    def __init__(self, who: str | None = None) -> None:
        self.who = who
        self.said = asyncio.Event()

    async def by(self) -> str | None:
        return self.who

    async def wait(self) -> None:
        await self.said.wait()
        self.who = "bob"


async def test_a_wait_that_people_would_notice_is_recorded_and_told() -> None:
    """FL-E01"""
    body = Body(passing(), passing(20))
    waits = await attempt_once(body, "x")
    assert body.tries == 2
    assert (waits["waits"]["tries"], waits["waits"]["seconds"]) == (2, 20)
    assert 19 < waits["waits"]["until"] - time.time() <= 20
    assert waits["events"] == [{"type": "Waiting", "message": "GitHub has trouble.", "seconds": 20}]


async def test_what_a_try_cost_is_told_before_its_trouble() -> None:
    cost = {"type": "Usage", "tokens": 9, "usd": 0.1, "turns": 0}
    waits = await attempt_once(Body(Transient("The model has trouble.", 20, [cost])), "x")
    failed = await attempt_once(Body(Transient("The model has trouble.", LONGEST_WAIT + 1, [cost])), "x")
    assert [event["type"] for event in waits["events"]] == ["Usage", "Waiting"]
    assert [event["type"] for event in failed["events"]] == ["Usage", "Error"]


async def test_after_its_wait_a_step_goes_on_with_the_tries_it_has_left() -> None:
    body = Body(passing(), passing(20))
    again = await after({"until": time.time() - 5, "tries": 7}, Stopping(), body, "x")
    assert again["waits"]["tries"] == 9
    last = await after({"until": 0.0, "tries": TRIES - 1}, None, Body(passing(20)), "x")
    assert f"after {TRIES} tries" in last["failed"]
    assert await after({"until": 0.0, "tries": 9}, None, body, "x") == {"given": "x"}


async def test_a_wait_grows_no_longer_where_the_clock_is_set_back() -> None:
    """FL-O04: by an hour, between two servers or under one."""
    waits = {"until": time.time() + 3600, "seconds": 0.05, "tries": 1}
    assert await asyncio.wait_for(after(waits, Stopping(), Body(), "x"), 20) == {"given": "x"}


async def test_a_wait_lasts_until_its_time_also_after_a_restart() -> None:
    began = time.monotonic()
    await after({"until": time.time() + 0.2, "tries": 1}, Stopping(), Body(), "x")
    assert time.monotonic() - began >= 0.19


@pytest.mark.parametrize("before_a_restart", [True, False])
async def test_a_stop_ends_a_wait_at_once_and_nothing_is_tried_again(before_a_restart: bool) -> None:
    body, stopping = Body(), Stopping("bob" if before_a_restart else None)
    waiting = asyncio.create_task(after({"until": time.time() + 60, "tries": 1}, stopping, body, "x"))
    if not before_a_restart:
        await asyncio.sleep(0)
        stopping.said.set()
    async with asyncio.timeout(5):
        ended = await waiting
    assert body.tries == 0
    with pytest.raises(GivenUp, match="Stopped by bob"):
        checked(ended)
