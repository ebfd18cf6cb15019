"""Where a task's repository is, and where its work goes: GitHub by the App, GitHub by a token, or a folder of this machine.

A run asks its place and never which one it is. Every effect is looked up before it is made, for a step runs at least once.
"""

from collections.abc import Callable
from typing import Protocol

from app.core.events import Via
from app.core.task import Request, Words
from app.github.thread import Thread
from app.publish.commit import Commit, Work
from app.runs.ground import Ground
from app.sandbox.base import Sandbox


class Begun(Words):
    """What is known before anything is made."""

    branch: str
    """The branch that the pull request is to be merged into."""
    start: str
    """The branch that is cloned: the same, or the head branch of earlier work that goes on."""
    rules: str = ""
    """Where that is another branch, SHA of the default branch's tip, whose instructions and commands hold; "" else."""


class Offer(Words):
    """What a pull request is to say."""

    title: str
    body: str
    draft: bool


class Opened(Words):
    """The pull request; `url` "" and `number` None where there is none."""

    via: Via
    url: str = ""
    number: int | None = None
    draft: bool = False
    missing: str = ""
    """Why there is no pull request although there should be one, and what to do next; "" else."""
    compare_url: str = ""
    """Page on which a person can open it then."""


class Place(Protocol):
    """All of it may raise UserError, Transient, and what `app.github.errors` names."""

    async def begin(self, run: str, request: Request) -> Begun:
        """Whether the work is (still) wanted and allowed, and where it starts from."""
        ...

    async def clone(
        self, run: str, request: Request, sandbox: Sandbox, start: str, rules: str = "", sha: str | None = None
    ) -> str:
        """Bring the tip of `start`, or that commit as its tip, into the sandbox; its SHA. No credential is left there.

        `rules`: as in `Begun`; that commit is to be had there too.
        """
        ...

    async def thread(self, ground: Ground) -> Thread:
        """What the model may be told of what was said where the work was asked for; nothing where no thread asked."""
        ...

    async def commit(self, ground: Ground, work: Work) -> Commit:
        """Exactly `work.tree`, as one commit on a head branch of the task's own."""
        ...

    async def pull(self, ground: Ground, head: str, offer: Offer) -> Opened:
        """The pull request of the head branch: found or opened."""
        ...

    async def discard(self, ground: Ground, head: str, sha: str) -> None:
        """Delete the task's own head branch, unless it has moved from this commit."""
        ...

    async def close(self, run: str) -> None:
        """End the credentials of the run. Never raises."""
        ...


PlaceOf = Callable[[Request], Place]
