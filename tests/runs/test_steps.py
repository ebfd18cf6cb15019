"""What people are told when a step meets trouble, and what only the log is told."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from app.core.errors import Transient, UserError
from app.github.errors import Conflict, NotFound, Refused
from app.runs.steps import BUG, LONGEST_WAIT, TRIES, Failed, attempt, checked
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
    body = Body(passing(LONGEST_WAIT + 1))
    failed = await attempt(body, "x")
    assert body.tries == 1
    assert "GitHub has trouble." in failed["failed"]


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
            "GitHub does not show the App what it needs any more: was it uninstalled, or something deleted or renamed?",
        ),
        (lambda: SandboxGone("run-1"), "The sandbox has gone, and with it the work that was in it."),
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


async def test_a_failure_is_raised_from_the_record_as_often_as_it_is_read() -> None:
    recorded = await attempt(Body(UserError("Set a test command.")), "x")
    for _ in range(2):
        with pytest.raises(Failed, match="Set a test command"):
            checked(recorded)
    assert checked({"fine": 1}) == {"fine": 1}
