"""The calls of one local sandbox, as they lie on the disk: asked of a keeper, looked up, stopped."""

import contextlib
import errno
import fcntl
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.core.errors import Transient
from app.sandbox import keeper
from app.sandbox.base import Call, Result, SandboxGone, Stream

CAP = 64 << 20
"""Bytes of each stream that are kept; what comes after is counted, and its end kept."""
LACKING = {errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""Disk, processes, memory, open files."""
PYTHON: str = sys._base_executable  # type: ignore[attr-defined]
"""The interpreter that the server's virtual environment was made from: it needs nothing of that environment."""


@dataclass(frozen=True)
class Command:
    """A call as the machine runs it."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str


@dataclass(frozen=True)
class Calls:
    """`folder` is ours alone; `output` holds the streams, which commands see as `seen`. Where `gone` exists nothing starts or goes on."""

    folder: Path
    output: Path
    seen: str
    gone: Path

    def look(self, call: Call) -> Result | Literal["absent", "running"]:
        """Where the call stands. Raises SandboxGone."""
        folder = self.folder / name(call.key)
        if self.gone.exists() or not self.folder.exists():
            raise SandboxGone
        if (found := self._result(folder)) is None:
            if not (folder / "call.json").exists():
                return "absent"
            if held(folder / "lock"):
                return "running"
            found = self._result(folder) or self._interrupted(folder)
        return Result(
            ended=found["ended"],
            exit_code=found["exit_code"],
            stdout=self._stream(folder, "stdout", found["stdout"], call.keep),
            stderr=self._stream(folder, "stderr", found["stderr"], call.keep),
            seconds=found["seconds"],
        )

    def start(self, call: Call, command: Command) -> None:
        """Have a keeper start the call, unless somebody else just did; back once it is recorded as started. Raises Transient."""
        output = self.output / name(call.key)
        request = {
            "folder": str(self.folder / name(call.key)),
            "stdout": str(output / "stdout"),
            "stderr": str(output / "stderr"),
            "gone": str(self.gone),
            "name": call.argv[0],
            "command": call.argv,
            "argv": command.argv,
            "env": dict(command.env),
            "cwd": command.cwd,
            "seconds": call.seconds,
            "cap": CAP,
            "stdin": len(call.stdin),
        }
        process = subprocess.Popen(
            [PYTHON, "-I", "-S", keeper.__file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, env={}, cwd="/",
        )  # fmt: skip
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(json.dumps(request).encode() + b"\n")
            pipe.write(call.stdin)
        with process.stdout as pipe:
            said = pipe.read().decode(errors="replace").strip()
        threading.Thread(target=process.wait, daemon=True).start()
        if said and not self.gone.exists():
            raise Transient(f"The local sandbox can't start a command: {said.splitlines()[-1]}")

    def stop(self, key: str) -> None:
        """Ask the call's keeper to end it, if it runs; back when it is over."""
        lock = self.folder / name(key) / "lock"
        if held(lock):
            with contextlib.suppress(FileNotFoundError):
                (lock.parent / "stop").touch()
            until_free(lock)

    def wait_for_all(self) -> None:
        """Wait until no keeper is left; `gone` must exist."""
        for lock in self.folder.glob("*/lock"):
            until_free(lock)

    def _result(self, folder: Path) -> Any:
        try:
            return json.loads((folder / "result.json").read_bytes())
        except FileNotFoundError:
            return None

    def _interrupted(self, folder: Path) -> Any:
        sizes = {}
        for stream in ("stdout", "stderr"):
            path = self.output / folder.name / stream
            sizes[stream] = {"size": path.stat().st_size if path.exists() else 0}
        return {"ended": "interrupted", "exit_code": None, "seconds": 0.0} | sizes

    def _stream(self, folder: Path, stream: str, found: dict[str, int], keep: int) -> Stream:
        size, path = found["size"], self.output / folder.name / stream
        head_size = size if size <= keep else keep // 2
        head = read(path, 0, head_size)
        if len(head) == size:
            tail = b""
        elif found.get("kept", size) < size:
            tail = read(folder / f"{stream}.tail", 0, keeper.TAIL)[-(keep - head_size) :]
        else:
            tail = read(path, size - (keep - head_size), keep - head_size)
        return Stream(head, tail, size, f"{self.seen}/{folder.name}/{stream}")


@contextlib.contextmanager
def room() -> Iterator[None]:
    """Raise Transient for an OSError that says what this machine lacks at the moment."""
    try:
        yield
    except OSError as error:
        if error.errno not in LACKING:
            raise
        raise Transient(f"Waiting for room on this machine: {error.strerror}.") from error


def name(key: str) -> str:
    """The key as the name of a folder. Raises ValueError for a key that the contract does not allow."""
    if not re.fullmatch(r"[A-Za-z0-9._/-]{1,200}", key) or key in (".", ".."):
        raise ValueError(f"not a key for a call: {key!r}")
    return key.replace("/", "+")


def held(lock: Path) -> bool:
    """Somebody holds the lock: the keeper lives."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def until_free(lock: Path) -> None:
    """Wait for the keeper's end, which takes `GIVE_UP` at most once it was asked to stop."""
    until = time.monotonic() + keeper.GIVE_UP + 10 * keeper.TICK
    while held(lock) and time.monotonic() < until:
        time.sleep(keeper.TICK / 5)


def read(path: Path, start: int, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return os.pread(file.fileno(), max(0, size), max(0, start))
    except FileNotFoundError:
        return b""
