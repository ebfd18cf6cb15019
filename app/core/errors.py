"""Two kinds of error, told apart by who can do something about them. Everything else is a bug."""


class UserError(Exception):
    """The asker or the operator can mend it; the message is shown as it is and says what to do, in one sentence."""


class Transient(Exception):
    """It will pass: worth another try after `retry_after` seconds (None: the caller's own backoff)."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
