"""Every error that E2B's SDK raises, and what it means to the run."""

import json
import re

import e2b
import httpx
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from e2b.api import api_exception_from_code
from e2b.exceptions import GuestUnresponsiveException, format_sandbox_unavailable_exception

from app.core.errors import Transient, UserError
from app.sandbox.base import SandboxGone
from app.sandbox.e2b_errors import Asleep, DiskFull, InProgress, Unresponsive, meaning_of, translated

TABLE: list[tuple[Exception, type[Exception], str]] = [
    (e2b.SandboxNotFoundException("Sandbox x not found"), SandboxGone, "not found"),
    (format_sandbox_unavailable_exception("The sandbox was not found"), Asleep, "not running"),
    (format_sandbox_unavailable_exception("port is not open"), Transient, "connection"),
    (GuestUnresponsiveException("x"), Unresponsive, "anew"),  # type: ignore[no-untyped-call]
    (e2b.NotEnoughSpaceException("x"), DiskFull, "No space"),
    (api_exception_from_code(401), UserError, "E2B_API_KEY: "),
    (api_exception_from_code(429, "Rate limit exceeded"), Transient, "Waiting for E2B: it takes no more requests"),
    (
        api_exception_from_code(429, "you have reached the maximum number of concurrent E2B sandboxes (20)"),
        Transient,
        "Waiting for E2B: the plan's limit",
    ),
    (api_exception_from_code(503), Transient, "Waiting for E2B: it has no room"),
    (api_exception_from_code(500, "x"), Transient, "HTTP 500"),
    (api_exception_from_code(502, "x"), Transient, "HTTP 502"),
    (
        api_exception_from_code(404, "template 'x' not found"),
        UserError,
        "BACKSPACE_E2B_TEMPLATE: E2B has no such template for this key (template 'x' not found).",
    ),
    (
        api_exception_from_code(400, "Timeout cannot be greater than 1 hours"),
        Transient,
        "Waiting for E2B: the sandbox has run as long as the plan allows without a pause.",
    ),
    (
        api_exception_from_code(400, "cannot delete template 'x' because there are paused sandboxes using it"),
        Transient,
        "E2B keeps this state while a paused sandbox needs it.",
    ),
    (api_exception_from_code(403, "No"), UserError, "E2B's plan or key does not allow this: No"),
    (e2b.SandboxException("500: no file for you"), Transient, "HTTP 500"),
    (e2b.BuildException("apt-get failed"), UserError, "E2B could not build the template: apt-get failed"),
    (api_exception_from_code(409, "A request with this idempotency key is in progress"), InProgress, "same request"),
    (e2b.TimeoutException("Request timed out"), Transient, "connection"),
    (ConnectError(Code.UNAVAILABLE, "reset"), Transient, "connection"),
    (httpx.ConnectError("All connection attempts failed"), Transient, "connection"),
    (httpx.ReadTimeout("x"), Transient, "connection"),
    (TimeoutError(), Transient, "connection"),
    (ConnectionResetError(), Transient, "connection"),
    (json.JSONDecodeError("x", "<html>", 0), Transient, "can't be read"),
    (KeyError("code"), Transient, "can't be read"),
    (Exception("Command ended without an end event"), Transient, "connection"),
]


@pytest.mark.parametrize(("error", "meaning", "said"), TABLE, ids=lambda value: str(value)[:40])
def test_meaning(error: Exception, meaning: type[Exception], said: str) -> None:
    with pytest.raises(meaning, match=re.escape(said)) as raised, translated():
        raise error
    assert type(raised.value) is meaning


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        Exception("x"),
        e2b.InvalidArgumentException("x"),
        api_exception_from_code(400, "x"),
    ],
    ids=str,
)
def test_the_rest_is_a_bug_and_stays_what_it_was(error: Exception) -> None:
    assert meaning_of(error) is error


def test_what_waits_for_the_plan_says_how_long() -> None:
    limited = meaning_of(api_exception_from_code(429, "concurrent sandboxes"))
    assert isinstance(limited, Transient)
    assert limited.retry_after == 20
