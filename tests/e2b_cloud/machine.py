"""The machine of one sandbox: bubblewrap with the guest as its process 1, and a folder that is its disk."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.sandbox import bubblewrap
from tests.e2b_cloud import guest

HOME = guest.HOME
PYTHON: str = sys._base_executable  # type: ignore[attr-defined]
PATH = f"{bubblewrap.base_python()}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GUEST = "/run/guest.py"
FOLDERS = ("home/user", "tmp", "var/tmp", "opt", "root", "run", "srv", "etc")
OUR_ETC = {
    "passwd": f"root:x:0:0::/root:/bin/bash\nuser:x:1000:1000::{HOME}:/bin/bash\n",
    "group": "root:x:0:\nuser:x:1000:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


class Refused(Exception):
    """The guest said no, with a code of the Connect protocol."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def furnish(disk: Path) -> None:
    """A new disk: what a sandbox has before its first command."""
    for part in FOLDERS:
        (disk / part).mkdir(parents=True)
    for name, text in OUR_ETC.items():
        (disk / "etc" / name).write_text(text)


def command_line(disk: Path, home_mb: int | None, *inherited: int) -> list[str]:
    args = [
        str(bubblewrap.program()), "--unshare-all", "--share-net", "--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns",
        "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_NET_ADMIN", "--hostname", "e2b.local", "--new-session",
        "--die-with-parent", "--as-pid-1", "--bind", str(disk), "/", "--ro-bind", "/usr", "/usr",
    ]  # fmt: skip
    for top in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if Path(top).is_symlink():
            args += ["--symlink", str(Path(top).readlink()), top] if not (disk / top[1:]).is_symlink() else []
        else:
            args += ["--ro-bind-try", top, top]
    python = bubblewrap.base_python()
    if not python.is_relative_to("/usr"):
        args += ["--ro-bind", str(python.resolve()), str(python)]
    for name in (*bubblewrap.ETC, *bubblewrap.ETC_WITH_NETWORK):
        args += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    start = [PYTHON, "-I", "-S", GUEST, *map(str, inherited)]
    return [
        *args,
        *(("--size", str(home_mb << 20), "--tmpfs", HOME) if home_mb else ()),
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--ro-bind",
        guest.__file__,
        GUEST,
        "--chdir",
        HOME,
        "--",
        *start,
    ]


def launch(disk: Path, home_mb: int | None) -> tuple[subprocess.Popen[bytes], socket.socket, int]:
    """Bubblewrap, our end of the socket to the guest, and where it tells how processes end."""
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    given = (theirs.fileno(), write)
    with theirs:
        outer = subprocess.Popen(command_line(disk, home_mb, *given), pass_fds=given, env={"PATH": PATH}, cwd="/")
    os.close(write)
    return outer, ours, read


@dataclass(eq=False)
class Machine:
    outer: subprocess.Popen[bytes]
    channel: socket.socket
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    ends: dict[int, asyncio.Future[int]] = field(default_factory=dict)
    told: asyncio.Task[None] | None = None

    @classmethod
    async def boot(cls, disk: Path, home_mb: int | None = None) -> "Machine":
        """With a home of this size that is not on the disk, where one is given. Raises RuntimeError where bubblewrap does not work here."""
        # Not started in a worker thread: that would take the sandbox with it when it ends.
        outer, ours, read = launch(disk, home_mb)
        machine = cls(outer, ours)
        if await asyncio.to_thread(ours.recv, 1) != b".":
            raise RuntimeError("a sandbox did not start; bubblewrap has said why on stderr")
        machine.told = asyncio.create_task(machine._listen(read))
        return machine

    async def ask(self, do: str, fds: Sequence[int] = (), **fields: Any) -> tuple[dict[str, Any], list[int]]:
        """What the guest answers, and the file it opened. Raises Refused."""
        asking = asyncio.ensure_future(self._ask({"do": do, **fields}, list(fds)))
        try:
            reply, opened = await asyncio.shield(asking)
        except asyncio.CancelledError:
            for fd in (await asking)[1]:
                os.close(fd)
            raise
        if "code" in reply:
            raise Refused(reply["code"], reply["message"])
        return reply, opened

    async def _ask(self, request: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        async with self.lock:
            return await asyncio.to_thread(self._exchange, request, fds)

    def _exchange(self, request: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        body = json.dumps(request).encode()
        try:
            socket.send_fds(self.channel, [struct.pack("!I", len(body))], fds)
            self.channel.sendall(body)
            return guest.receive(self.channel) or ({"code": "unavailable", "message": "the sandbox has gone"}, [])
        except OSError as e:
            return {"code": "unavailable", "message": f"the sandbox has gone: {e}"}, []

    def end_of(self, pid: int) -> asyncio.Future[int]:
        """How the process ends: its exit code, or minus the signal that ended it."""
        return self.ends.setdefault(pid, asyncio.get_running_loop().create_future())

    async def _listen(self, events: int) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(events, "rb", 0))
        try:
            async for line in reader:
                end = json.loads(line)
                self.end_of(end["pid"]).set_result(end["status"])
        finally:
            transport.close()

    def processes(self) -> list[int]:
        """Everybody in the sandbox, as the host numbers them; the guest is first."""
        children: dict[int, list[int]] = {}
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError, ValueError):
                children.setdefault(int(_stat(int(name))[1]), []).append(int(name))
        found = list(children.get(self.outer.pid, ()))
        for pid in found:
            found.extend(children.get(pid, ()))
        return found

    async def freeze(self) -> None:
        """Nothing in it runs any more; what is asked of the guest has been answered."""
        async with self.lock:
            while moving := [pid for pid in self.processes() if not _still(pid)]:
                self._signal_all(moving, signal.SIGSTOP)
                await asyncio.sleep(0.001)

    def thaw(self) -> None:
        self._signal_all(reversed(self.processes()), signal.SIGCONT)

    async def kill(self) -> None:
        self._signal_all(self.processes(), signal.SIGKILL)
        self.outer.kill()
        await asyncio.to_thread(self.outer.wait)
        self.channel.close()
        if self.told:
            await self.told

    def _signal_all(self, pids: Any, number: signal.Signals) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _stat(pid: int) -> list[bytes]:
    """Of the host's /proc, from the process's state and parent on. Raises OSError where it has gone."""
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()


def _still(pid: int) -> bool:
    """Stopped, or ended."""
    try:
        return _stat(pid)[0] in (b"T", b"t", b"Z", b"X")
    except OSError:
        return True


async def copy(source: Path, target: Path) -> None:
    """A disk with everything on it."""
    await _run("cp", "-a", "--reflink=auto", "--", str(source), str(target))


async def remove(disk: Path) -> None:
    """`chmod` and `rm` of the system: they take any depth and any names, and follow no link."""
    await _run("chmod", "-R", "u+rwX", "--", str(disk))
    await _run("rm", "-rf", "--", str(disk))


async def _run(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.DEVNULL)
    await process.wait()
