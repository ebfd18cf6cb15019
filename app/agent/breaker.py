"""A breaker for the model's account: while its key or its credit is refused, nobody asks, but for one request a minute."""

import time
from collections.abc import Callable

from app.core.errors import UserError

SECONDS = 60.0


class AccountRefused(UserError):
    """The key or the credit: no request of any run will do better until the operator mends it."""


class Breaker:
    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._refusal: AccountRefused | None = None
        self._until = 0.0

    def check(self) -> None:
        """Before a request. Raises the last refusal while it is younger than a minute; then one caller may try, and the others wait on."""
        if self._refusal is None:
            return
        if self._monotonic() < self._until:
            raise AccountRefused(str(self._refusal))
        self._until = self._monotonic() + SECONDS

    def refused(self, refusal: AccountRefused) -> None:
        self._refusal, self._until = refusal, self._monotonic() + SECONDS

    def accepted(self) -> None:
        self._refusal = None
