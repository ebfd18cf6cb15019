"""What a sandbox is to everything above it: a place that holds repository bytes and runs commands, nothing else.

One primitive: `run` a `Call` under its key. File tools, git and checks are commands too, so all of them share one boundary and one
way to survive a crash of ours. Nothing above this package asks which sandbox it has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol


class SandboxGone(Exception):
    """The sandbox does not exist any more (or never did)."""


class WarmGone(Exception):
    """No sandbox can be made from this kept state any more."""


@dataclass(frozen=True)
class Call:
    """A command to run once. The same key never runs twice: a second `run` waits for the first and returns its result."""

    key: str
    """Unique in the sandbox, `[A-Za-z0-9._/-]`: `work/3/0` for the first tool call of the third turn."""
    argv: tuple[str, ...]
    seconds: float
    """Deadline; then the whole process tree is ended."""
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the sandbox's own small environment, for this command alone."""
    cwd: str = ""
    """"" is the repository; a path starting with "/" otherwise."""
    keep: int = 30_000
    """Bytes of each stream that come back: all of it, or as much of its head and its tail where it is longer."""
    network: bool = False
    """The command reaches the network although others do not (the clone)."""


@dataclass(frozen=True)
class Stream:
    """What a command wrote to one stream."""

    head: bytes
    tail: bytes
    """Empty where `head` is the whole."""
    size: int
    """Bytes written by the command."""
    path: str
    """File in the sandbox with the whole (up to the sandbox's own cap), readable by commands."""

    @property
    def whole(self) -> bool:
        return len(self.head) == self.size


@dataclass(frozen=True)
class Result:
    ended: Literal["exited", "deadline", "stopped", "interrupted"]
    """`interrupted`: it was started and its end was lost (the machine went down); what it did is unknown, it was not run again."""
    exit_code: int | None
    """Set where it `exited`; a signal n is 128+n."""
    stdout: Stream
    stderr: Stream
    seconds: float


class Sandbox(Protocol):
    """One run's sandbox. Every method raises SandboxGone where it has gone, Transient where another try may help."""

    @property
    def id(self) -> str: ...

    @property
    def repo(self) -> str:
        """Absolute path of the repository as commands in the sandbox see it."""
        ...

    @property
    def home(self) -> str:
        """Absolute path of the home directory, above the repository; survives between commands."""
        ...

    async def run(self, call: Call) -> Result:
        """Start the call, or find it by its key, and wait for its end. Cancelling the wait leaves the command running."""
        ...

    async def stop(self, key: str) -> None:
        """End the process tree of a call that runs; its `run` returns `stopped`. No effect on one that is over or unknown."""
        ...

    async def kill(self) -> None:
        """End every command and remove the sandbox. No effect where it is gone."""
        ...

    async def keep(self, name: str) -> str | None:
        """Keep the present state, for new sandboxes to begin with: what `create` takes as `warm`. None where nothing is gained by it.

        No command may run meanwhile. `name`, `[a-z0-9-]`, is one state: keeping under it again replaces what was kept, and may give the
        same value again.
        """
        ...


class Sandboxes(Protocol):
    """Where sandboxes come from."""

    async def create(self, run_id: str, warm: str | None = None) -> Sandbox:
        """The sandbox of this run: found if it exists already, else made, so a repeated call makes no second one.

        A new one begins with the kept state `warm` where there is one, files alone: no call of the sandbox that it came from is known in
        it, and its network is that of any new one. Raises WarmGone.
        """
        ...

    async def connect(self, sandbox_id: str) -> Sandbox:
        """The sandbox with this id. Raises SandboxGone."""
        ...

    async def runs(self) -> dict[str, str]:
        """Every sandbox that this App has: its id, and the id of the run it was made for."""
        ...

    async def end(self, sandbox_id: str) -> None:
        """As its `kill`, also for one that was being removed when its server was killed."""
        ...

    async def forget(self, warm: str) -> None:
        """Delete a kept state. No effect where it is gone. Raises Transient, also while a sandbox that sleeps still needs it."""
        ...
