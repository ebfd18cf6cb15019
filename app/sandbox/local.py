"""Sandboxes on this machine: one folder each, its commands kept by processes of their own behind bubblewrap (or nothing)."""

import asyncio
import contextlib
import errno
import hashlib
import json
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.core.errors import UserError
from app.sandbox import bubblewrap, git_version, seccomp
from app.sandbox.base import Call, Result, SandboxGone
from app.sandbox.calls import PYTHON, Calls, Command, room

Isolation = Literal["bubblewrap", "none"]


class LocalSandbox:
    def __init__(self, folder: Path, isolation: Isolation, network: bool, wheels: Path | None) -> None:
        self._folder = folder
        self._isolated = isolation == "bubblewrap"
        self._network = network
        self._wheels = wheels
        output = bubblewrap.OUTPUT if self._isolated else str(folder / "output")
        self._calls = Calls(folder / "calls", folder / "output", output, folder / "gone")

    @property
    def id(self) -> str:
        return self._folder.name

    @property
    def repo(self) -> str:
        return f"{self.home}/repo"

    @property
    def home(self) -> str:
        return bubblewrap.HOME if self._isolated else str(self._folder / "home")

    async def run(self, call: Call) -> Result:
        with room():
            return await self._run(call)

    async def _run(self, call: Call) -> Result:
        pause = 0.002
        while True:
            found = await asyncio.to_thread(self._calls.look, call)
            if isinstance(found, Result):
                return found
            if found == "absent":
                await whole(asyncio.to_thread(self._calls.start, call, self._command(call)))
            else:
                await asyncio.sleep(pause)
                pause = min(0.05, pause * 1.3)

    async def stop(self, key: str) -> None:
        await asyncio.to_thread(self._calls.stop, key)

    async def kill(self) -> None:
        await asyncio.to_thread(self._remove)

    async def keep(self, name: str) -> None:
        """Nothing: a copy of a folder is no faster than what it would spare."""

    def _command(self, call: Call) -> Command:
        cwd = call.cwd or self.repo
        env = self._env() | dict(call.env)
        if not self._isolated:
            return Command(call.argv, env, cwd)
        walls = bubblewrap.Walls(self._folder, self._wheels)
        return Command(walls.around(call.argv, cwd, call.network or self._network), env, "/")

    def _env(self) -> dict[str, str]:
        programs = bubblewrap.PROGRAMS if self._isolated else str(self._folder / "bin")
        env = {
            "HOME": self.home,
            "PATH": f"{programs}:{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "TMPDIR": "/tmp" if self._isolated else str(self._folder / "tmp"),
            "BACKSPACE_OUTPUT": self._calls.seen,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        if self._wheels:
            wheels = bubblewrap.WHEELS if self._isolated else str(self._wheels)
            env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels}
        return env

    def _remove(self) -> None:
        """`chmod` and `rm` of the system: they take any depth and any names, and follow no link."""
        if not self._folder.exists():
            return
        with contextlib.suppress(FileNotFoundError), room():
            (self._folder / "gone").touch()
        self._calls.wait_for_all()
        for remove in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*remove, "--", str(self._folder)], check=False, capture_output=True)


@dataclass(frozen=True)
class LocalSandboxes:
    """Sandboxes under `root`. `isolation` "none" runs commands as the server's own user, with its files, network and neighbours in reach.

    `network` lets every command reach the network; without it only a call that asks for it does. `wheels` is a folder of packages that
    `pip` in the sandbox installs from, and from nowhere else.
    """

    root: Path
    isolation: Isolation = "bubblewrap"
    network: bool = False
    wheels: Path | None = None

    async def check(self) -> str:
        """Run a command for real; what is to be said of its git, or "". Raises UserError that says what to do where that does not work."""
        if self.isolation == "bubblewrap":
            bubblewrap.program()
            await asyncio.to_thread(bubblewrap.refuse_overlap, self.root)
        try:
            sandbox = await self.create(f"check-{uuid.uuid4().hex}")
        except OSError as e:
            raise UserError(f"BACKSPACE_DATA: {self.root} can't be used as a folder ({e.strerror}).") from None
        try:
            result = await sandbox.run(Call("check", ("sh", "-ec", "python3 -V; git --version"), seconds=20))
        finally:
            await sandbox.kill()
        if result.exit_code != 0:
            said = result.stderr.head.decode(errors="replace").strip().splitlines()[-1:]
            if self.isolation == "bubblewrap" and said and said[0].startswith("bwrap:"):
                raise UserError(bubblewrap.explain(said[0]))
            raise UserError(f"Commands in the sandbox need Python and git on this machine: {' '.join(said)}")
        return git_version.remark(result.stdout.head.decode(errors="replace"))

    async def create(self, run_id: str, warm: str | None = None) -> LocalSandbox:
        """`warm` is another place's: nothing is kept here."""
        return await asyncio.to_thread(self._create, run_id)

    async def connect(self, sandbox_id: str) -> LocalSandbox:
        return await asyncio.to_thread(self._connect, sandbox_id)

    async def runs(self) -> dict[str, str]:
        return await asyncio.to_thread(self._runs)

    async def end(self, sandbox_id: str) -> None:
        await self._at(sandbox_id).kill()

    async def forget(self, warm: str) -> None:
        """Nothing is kept here."""

    def _create(self, run_id: str) -> LocalSandbox:
        name = folder_name(run_id)
        with contextlib.suppress(SandboxGone):
            return self._connect(name)
        if (self.root / name / "gone").exists():  # it was being removed when the machine went down
            self._at(name)._remove()
        with room():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._furnish(name, run_id)
        return self._connect(name)

    def _furnish(self, name: str, run_id: str) -> None:
        draft = self.root.resolve() / f".{name}-{uuid.uuid4().hex[:8]}"
        try:
            furnish(draft, run_id)
            if self.isolation == "bubblewrap":
                (draft / bubblewrap.FILTER).write_bytes(seccomp.program())
            draft.rename(draft.with_name(name))
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # another process was quicker
                raise

    def _connect(self, sandbox_id: str) -> LocalSandbox:
        folder = self.root / sandbox_id
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", sandbox_id) or not folder.is_dir() or (folder / "gone").exists():
            raise SandboxGone(sandbox_id)
        return self._at(sandbox_id)

    def _at(self, name: str) -> LocalSandbox:
        wheels = self.wheels.resolve() if self.wheels else None
        return LocalSandbox(self.root.resolve() / name, self.isolation, self.network, wheels)

    def _runs(self) -> dict[str, str]:
        """One that is being removed counts, and one that was being made: whoever looks for orphans finishes it with another `kill`."""
        found = {}
        for path in self.root.glob("*/sandbox.json"):
            with contextlib.suppress(FileNotFoundError, ValueError):  # gone meanwhile, or empty since a power failure
                found[path.parent.name] = json.loads(path.read_bytes())["run"]
        return found


async def whole(work: Coroutine[Any, Any, None]) -> None:
    """Await it to its end even when cancelled in between: a call is started, and can be stopped, or it is not."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def folder_name(run_id: str) -> str:
    """A name for people that is still one for every run."""
    readable = re.sub(r"[^a-z0-9]+", "-", run_id.lower()).strip("-")[:40]
    return f"{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:12]}".lstrip("-")


def furnish(folder: Path, run_id: str) -> None:
    """Everything that a sandbox has before its first command."""
    folder.mkdir(mode=0o700)
    (folder / "sandbox.json").write_text(json.dumps({"run": run_id}))  # first, or nobody would know whose it is
    for part in ("home", "home/repo", "tmp", "calls", "output", "etc", "bin"):
        (folder / part).mkdir(mode=0o700)
    for name, text in bubblewrap.OUR_ETC.items():
        (folder / "etc" / name).write_text(text)
    for name in ("python", "python3"):
        # A script, not a link: a virtual environment made through a link would not find its library.
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec "{PYTHON}" "$@"\n')
        (folder / "bin" / name).chmod(0o755)
