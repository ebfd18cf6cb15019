"""What a reply of GitHub that is no success means to us: the one place where statuses and messages become errors.

Exception
├── NotFound        404, 410: not there, or not for us to see
├── Conflict        409, 422: understood and not done; GitHub's reason is the message
├── Transient       5xx, rate limits, no reply at all, a reply that is not JSON
└── UserError
    └── Refused     403: a person has to change something first
        ├── Unauthorized   401: the credentials
        └── Empty          409: no commit yet
"""

import json
from collections.abc import Mapping
from typing import Any

from app.core.errors import Transient, UserError

SUCCESS = frozenset({200, 201, 202, 204})
_PROXY = 407
"""A proxy on the way wants a password; GitHub has no part in it."""
_LONGEST = 2_000
"""Characters of GitHub's words; what it really says is far shorter, so no secret is cut into where it would be found whole."""


class NotFound(Exception):
    """It is not there (any more), or the token may not see it: GitHub does not tell these apart."""


class Conflict(Exception):
    """GitHub understood the request and did not carry it out; the message is GitHub's own, with the details of each field."""


class Refused(UserError):
    """GitHub does not let us, and trying again does not help until a person changes something."""


class Unauthorized(Refused):
    """The credentials were not accepted."""


class Empty(Refused):
    """The repository has no commit yet: nobody has made one, or it is a fork that GitHub is still making."""


class RateLimited(Transient):
    """A limit of GitHub's, primary or secondary: nothing more may be sent for this installation until `retry_after` is over.

    None where GitHub names no time: see `app.github.pace`.
    """

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("GitHub asks us to slow down.", retry_after)


_WORDS_FOR_403 = {
    "archived": "The repository is archived, so nothing can be written to it: unarchive it first.",
    "suspended": "The App's installation is suspended: an owner can lift that in the settings under GitHub Apps.",
    "locked": "The conversation is locked: unlock it first.",
    "not accessible by integration": "The App lacks a permission here: an owner can review and accept its permissions "
    "in the settings under GitHub Apps.",
    "not accessible by personal access token": "GITHUB_TOKEN lacks a permission here: it needs contents and pull requests, "
    "read and write.",
}


def failure(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Exception | None:
    """The error that this reply is, or None for a success. `now`: Unix seconds by GitHub's clock."""
    reply = _json(body)
    if status in SUCCESS:
        return Transient("GitHub's reply could not be read.") if body and reply is None else None
    if status >= 500 or status == _PROXY:
        return Transient(f"GitHub has trouble (status {status}).", _seconds(headers.get("retry-after")))
    message = _message(reply)
    if status == 401:
        return Unauthorized(
            "GitHub does not accept the credentials: check GITHUB_APP_ID and the private key, or GITHUB_TOKEN."
        )
    if status == 429 or (status == 403 and _is_limit(headers, message)):
        return RateLimited(_wait(headers, now))
    if status == 403:
        known = (words for part, words in _WORDS_FOR_403.items() if part in message.lower())
        return Refused(next(known, f"GitHub does not allow it: {message}"))
    if status in (404, 410):
        return NotFound(message)
    if status == 409 and "empty" in message.lower():
        return Empty("The repository is empty: make a first commit.")
    if status in (409, 422):
        return Conflict(message)
    return RuntimeError(f"GitHub answered {status}: {message}")


def _is_limit(headers: Mapping[str, str], message: str) -> bool:
    return "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0" or "rate limit" in message.lower()


def _wait(headers: Mapping[str, str], now: float) -> float | None:
    asked = _seconds(headers.get("retry-after"))
    if asked is not None:
        return asked
    reset = _seconds(headers.get("x-ratelimit-reset"))
    if headers.get("x-ratelimit-remaining") == "0" and reset is not None:
        return max(reset - now, 1.0)
    return None


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isascii() and value.isdecimal() else None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _message(reply: Any) -> str:
    """GitHub's message with what it says on each field, on one line. The ellipsis is where the redactor looks for the half of a secret."""
    if not isinstance(reply, dict):
        return "no reason given"
    errors = reply.get("errors")
    details = [_detail(e) for e in errors] if isinstance(errors, list) else [str(errors)] if errors else []
    words = " ".join(": ".join([str(reply.get("message", "")), *filter(None, details)]).split())
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


def _detail(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    return str(error.get("message") or f"{error.get('field', '')} {error.get('code', '')}".strip())
