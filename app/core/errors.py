"""Two kinds of error, told apart by who can do something about them. Everything else is a bug."""

from collections.abc import Sequence
from typing import Any


class UserError(Exception):
    """The asker or the operator can mend it; the message is shown as it is and says what to do, in one sentence."""


class Refusal(UserError):
    """A request names what can't be worked on. `status`: 403 no rights, 404 unknown, 409 archived or empty, 422 a name that is taken,
    429 too much at once."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Transient(Exception):
    """It will pass: worth another try after `retry_after` seconds (None: the caller's own backoff).

    `events`, as they are recorded, are what people are shown of the try that failed.
    """

    def __init__(self, message: str, retry_after: float | None = None, events: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.events = events
