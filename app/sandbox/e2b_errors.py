"""What E2B's errors mean to us. The only place that knows the SDK's exceptions, and those it lets through from below."""

import contextlib
import json
import re
from collections.abc import Iterator

import httpx
from connectrpc.errors import ConnectError
from e2b import (
    AuthenticationException,
    BuildException,
    NotEnoughSpaceException,
    RateLimitException,
    SandboxException,
    SandboxNotFoundException,
    SandboxNotRunningException,
    ServiceBusyException,
    TimeoutException,
)
from e2b.exceptions import GuestUnresponsiveException
from pyqwest import ReadError, StreamError, WriteError

from app.core.errors import Transient, UserError
from app.sandbox.base import SandboxGone

LOST = (TimeoutException, httpx.TransportError, ConnectError, ReadError, StreamError, WriteError, OSError)
"""The connection, or the answer, was lost: TimeoutError and ConnectionError are OSErrors."""
NO_END = "Command ended without an end event"
"""The SDK raises a bare Exception with these words where a stream was cut cleanly."""


class Asleep(Transient):
    """The sandbox does not run: paused, or gone; connecting tells which."""


class Unresponsive(Transient):
    """The sandbox was paused while it did not respond: it comes back only by a reboot."""


class InProgress(Transient):
    """The same request is being answered already."""


class DiskFull(Exception):
    """There is no room left on the sandbox's disk."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise what E2B's exceptions mean: SandboxGone, Transient, UserError, DiskFull; anything else as it is, a bug."""
    try:
        yield
    except Exception as error:
        meaning = meaning_of(error)
        if meaning is error:
            raise
        raise meaning from error


def meaning_of(error: Exception) -> Exception:
    """Pure; `error` itself where it means nothing to us."""
    match error:
        case SandboxNotFoundException():
            return SandboxGone(str(error))
        case SandboxNotRunningException():
            return Asleep("The sandbox is not running.")
        case GuestUnresponsiveException():
            return Unresponsive("The sandbox has to be started anew.")
        case NotEnoughSpaceException():
            return DiskFull("No space left on the sandbox's disk.")
        case AuthenticationException():
            return UserError("E2B_API_KEY: E2B does not accept this key. Take a valid one from its dashboard.")
        case RateLimitException():
            return _limited(str(error))
        case BuildException():
            return UserError(f"E2B could not build the template: {error}")
        case ServiceBusyException():
            return Transient("Waiting for E2B: it has no room for a sandbox right now.", 10)
        case json.JSONDecodeError() | KeyError():  # somebody else than E2B answered, as a proxy does
            return Transient("E2B gave an answer that can't be read.")
        case SandboxException() if status := _status(error):
            return _by_status(status, error)
    if isinstance(error, LOST) or str(error) == NO_END:
        return Transient("The connection to E2B was lost.")
    return error


def _status(error: SandboxException) -> int:
    """Of files, the SDK tells the HTTP status in the message alone. 0 where there was none."""
    said = re.match(r"(\d{3}): ", str(error))
    return error.status_code or (int(said[1]) if said else 0)


def _limited(said: str) -> Transient:
    if "concurrent" in said.lower():
        return Transient("Waiting for E2B: the plan's limit of sandboxes at the same time is reached.", 20)
    return Transient("Waiting for E2B: it takes no more requests right now.", 5)


def _by_status(status: int, error: Exception) -> Exception:
    if status >= 500:
        return Transient(f"E2B is in trouble (HTTP {status}).")
    if status == 409:
        return InProgress("E2B is still at the same request.", 1)
    said = str(error).removeprefix(f"{status}: ").strip()
    if status == 404 and "template" in said.lower():
        return UserError(f"BACKSPACE_E2B_TEMPLATE: E2B has no such template for this key ({said}).")
    if status == 403:
        return UserError(f"E2B's plan or key does not allow this: {said}")
    if "paused sandboxes using it" in said:
        return Transient("E2B keeps this state while a paused sandbox needs it.")
    if "Timeout cannot be greater" in said:  # it is paused soon, and then has as much time again
        return Transient("Waiting for E2B: the sandbox has run as long as the plan allows without a pause.", 20)
    return error
