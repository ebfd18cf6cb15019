"""GitHub's clock: what it says now decides whether a JWT is valid and when a token expires."""

import logging
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

log = logging.getLogger(__name__)

_WORTH_A_WORD = 30.0
"""Seconds by which our clock may differ before an operator should hear of it."""


class ServerClock:
    """Starts at this machine's time and follows the `Date` of GitHub's replies; a jump of our own clock does not move it."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._said = False

    def now(self) -> float:
        """Unix seconds, true to about a second once a reply was seen."""
        return self._monotonic() + self._offset

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over the time from a reply's headers; one without a readable `Date` changes nothing."""
        try:
            theirs = parsedate_to_datetime(headers["date"]).timestamp()
        except (KeyError, ValueError, TypeError):
            return
        self._offset = theirs - self._monotonic()
        ahead = self._wall() - theirs
        if abs(ahead) > _WORTH_A_WORD and not self._said:
            self._said = True
            log.warning("this machine's clock is %.0f s ahead of GitHub's (negative: behind); GitHub's is used", ahead)
