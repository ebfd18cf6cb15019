"""How much is asked for already: whether one more task is taken, and which of those that wait goes next. Pure."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

PER_THREAD = 2
"""One works and one waits. What a third would change is not known before those two have ended."""
PER_ACTOR = 20
"""Many times what one person can read and merge, and at the default limit of 2 dollars a task 40 dollars before anybody looks."""
PER_INSTALLATION = 100
"""Five such people."""

Scope = Literal["thread", "actor", "installation"]


class Load(NamedTuple):
    """A task that threads asked for and that is not over, or one that asks to be taken."""

    key: str
    thread: str
    actor: int
    """Account id."""
    installation: int


class Full(NamedTuple):
    """Why a task is not taken."""

    scope: Scope
    newest: str
    """Key of the task that was taken last of those that fill it."""


def full(asked: Load, load: Sequence[Load]) -> Full | None:
    """What has no room for one more; None where it is taken, or was taken before. `load`: all open tasks, oldest first."""
    if any(one.key == asked.key for one in load):
        return None
    limits: tuple[tuple[Scope, int], ...] = (
        ("thread", PER_THREAD),
        ("actor", PER_ACTOR),
        ("installation", PER_INSTALLATION),
    )
    for scope, limit in limits:
        same = [one.key for one in load if getattr(one, scope) == getattr(asked, scope)]
        if len(same) >= limit:
            return Full(scope, same[-1])
    return None


def goes_next(asked: Load, waiting: Sequence[Load], begun: Collection[Load], slots: int, *, shared: bool) -> bool:
    """Whether this one of `waiting` may begin now.

    Each free slot goes to the installation that has the fewest tasks begun, and there to the oldest whose thread is free.
    `slots`: runs at the same time. `shared`: there are other installations, so none may have the last slot too.
    """
    most = max(1, slots - 1) if shared else slots
    taken = Counter(one.installation for one in begun)
    threads = {one.thread for one in begun}
    left = list(waiting)
    for _ in range(slots - len(begun)):
        free = [one for one in left if one.thread not in threads and taken[one.installation] < most]
        if not free:
            return False
        chosen = min(free, key=lambda one: taken[one.installation])  # the oldest of equals: `min` takes the first
        if chosen.key == asked.key:
            return True
        left.remove(chosen)
        taken[chosen.installation] += 1
        threads.add(chosen.thread)
    return False
