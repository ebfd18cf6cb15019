"""One sandbox in E2B: its commands, by way of the far end, and what keeps it awake and its network as it should be."""

import asyncio
import base64
import contextlib
import json
import time
import uuid
import zlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from e2b import AsyncCommandHandle, AsyncSandbox, CommandExitException
from e2b.sandbox.filesystem.filesystem import WriteEntry
from e2b.sandbox.sandbox_api import SandboxNetworkUpdate

from app.core.errors import Transient, UserError
from app.sandbox import e2b_far, keeper
from app.sandbox.base import Call, Result, SandboxGone, Stream
from app.sandbox.calls import CAP, name
from app.sandbox.e2b_errors import Asleep, DiskFull
from app.sandbox.e2b_waits import AGAIN, LIFE, Waits, awake, insist, within

HOME = "/home/user"
WHEELS = f"{HOME}/wheels"
INLINE = 64 << 10
"""Bytes of a call that go along with its start: an environment variable holds at most 128 KiB."""
FAR = Path(e2b_far.__file__).read_text()
KEEPER = Path(keeper.__file__).read_text()
START = 'exec python3 -I -S -c "$BACKSPACE_FAR"'


@dataclass(frozen=True)
class Policies:
    """The two network policies, and by sandbox which one this process knows to be in force.

    Known until it may have been paused: E2B can give a resumed sandbox the policy that it was made with.
    """

    cloning: SandboxNetworkUpdate
    afterwards: SandboxNetworkUpdate
    known: dict[str, SandboxNetworkUpdate] = field(default_factory=dict)


class E2BSandbox:
    """`kept_as`: what the names of kept states begin with. `wheels`: packages lie in `WHEELS`, for `pip` to install from."""

    def __init__(self, box: AsyncSandbox, policies: Policies, waits: Waits, kept_as: str, wheels: bool) -> None:
        self._box = box
        self._policies = policies
        self._waits = waits
        self._kept_as = kept_as
        self._wheels = wheels

    @property
    def id(self) -> str:
        return self._box.sandbox_id

    @property
    def repo(self) -> str:
        return f"{HOME}/repo"

    @property
    def home(self) -> str:
        return HOME

    async def run(self, call: Call) -> Result:
        ask = {"do": "follow", "name": name(call.key), "keep": call.keep}
        policy = self._policies.cloning if call.network else self._policies.afterwards
        latest = time.monotonic() + call.seconds + self._waits.end
        try:
            reply = await self._ask(ask, policy, call)
            while reply["state"] == "running":
                if time.monotonic() > latest:  # what runs in there can stop its keeper, and it would never end
                    await self.kill()
                    raise SandboxGone(self.id)
                await self._stay_awake()
                reply = await self._ask(ask, policy)
        except DiskFull as full:
            return _never_started(str(full))
        if reply["state"] == "failed":
            if "No space left" in reply["said"]:
                return _never_started("No space left on the sandbox's disk.")
            raise Transient(f"E2B's sandbox can't start a command: {reply['said'].splitlines()[-1]}")
        return _result(reply, f"{self._root}/output/{name(call.key)}")

    async def stop(self, key: str) -> None:
        await self._ask({"do": "stop", "name": name(key)}, self._policies.afterwards)

    async def kill(self) -> None:
        with contextlib.suppress(SandboxGone):
            await insist(self._box.kill, self._waits.answer)
        self._policies.known.pop(self.id, None)

    async def keep(self, name: str) -> str:
        await awake(self._box.connect, self._waits)
        kept = await insist(partial(self._box.create_snapshot, f"{self._kept_as}-{name}"), self._waits.answer)
        self._policies.known.pop(self.id, None)
        return kept.snapshot_id

    async def receive(self, wheels: Path) -> None:
        """The files of the folder, as `WHEELS`."""
        entries = await asyncio.to_thread(_entries, wheels)
        await insist(partial(self._box.files.write_files, entries), self._waits.upload)

    @property
    def _root(self) -> str:
        """Where calls are recorded. Of its own id, for one made from a kept state begins with the records of another one."""
        return f"{HOME}/.backspace/sandboxes/{self.id}"

    async def _stay_awake(self) -> None:
        """A failure shows itself at the next call; E2B pauses the sandbox at worst, which loses nothing."""
        with contextlib.suppress(Transient, SandboxGone, UserError):
            async with within(self._waits.answer):
                await self._box.set_timeout(LIFE)

    async def _hold_to(self, policy: SandboxNetworkUpdate) -> None:
        """No command starts, or goes on in a sandbox that was woken, before the policy it must run under is in force."""
        if self._policies.known.get(self.id) is not policy:
            async with within(self._waits.answer):
                await self._box.update_network(policy)
            self._policies.known[self.id] = policy

    async def _ask(self, ask: dict[str, Any], policy: SandboxNetworkUpdate, call: Call | None = None) -> dict[str, Any]:
        """The far end's reply. Wakes the sandbox where it sleeps; asks again where the connection is lost, for a call is started once.

        `policy` is what the commands in question run under, and is set anew in one that slept; `call` is what to start.
        """
        for wait in (*AGAIN, None):
            try:
                return await self._ask_once(ask, policy, call)
            except Asleep:
                if wait is None:
                    raise
                await awake(self._box.connect, self._waits)
                self._policies.known.pop(self.id, None)
            except Transient:
                if wait is None:
                    raise
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    async def _ask_once(self, ask: dict[str, Any], policy: SandboxNetworkUpdate, call: Call | None) -> dict[str, Any]:
        opening = asyncio.ensure_future(self._open(ask, policy, call))
        try:
            handle = await asyncio.shield(opening)
        except asyncio.CancelledError:  # a call is begun, or it is not: the next one to ask has to find it
            with contextlib.suppress(Exception):
                await _close(await opening)
            raise
        try:
            # The SDK's own timeouts cancel the wrong task, or nothing: see `timeout=0` below.
            async with within(self._waits.reply):
                printed = (await handle.wait()).stdout
        except CommandExitException as failed:
            if failed.exit_code == 127:
                raise UserError("BACKSPACE_E2B_TEMPLATE: the template has no python3, which Backspace needs.") from None
            raise Transient(f"The sandbox can't run a command: its Python ended with {failed.exit_code}.") from failed
        finally:
            await _close(handle)
        return await asyncio.to_thread(_unpack, printed)

    async def _open(self, ask: dict[str, Any], policy: SandboxNetworkUpdate, call: Call | None) -> AsyncCommandHandle:
        ask = {**ask, "root": self._root, "repo": self.repo, "patience": self._waits.patience}
        await self._hold_to(policy)
        if call:
            ask |= {"frame": await self._frame(call), "env": self._env(call)}
        # HOME: the login shell that E2B starts reads no profile of the agent's making.
        envs = {"BACKSPACE_FAR": FAR, "BACKSPACE_KEEPER": KEEPER, "BACKSPACE_ASK": json.dumps(ask), "HOME": "/"}
        async with within(self._waits.reply):
            return await self._box.commands.run(
                START, background=True, envs=envs, cwd="/", timeout=0, request_timeout=self._waits.patience
            )

    async def _frame(self, call: Call) -> dict[str, str]:
        """All of the call but its environment, which must not come to lie on a disk."""
        request = {
            "name": call.argv[0],
            "command": call.argv,
            "argv": call.argv,
            "cwd": call.cwd or self.repo,
            "seconds": call.seconds,
            "cap": CAP,
        }
        frame = json.dumps(request).encode() + b"\n" + call.stdin
        if len(frame) <= INLINE:
            return {"inline": base64.b64encode(frame).decode()}
        path = f"{self._root}/frames/{uuid.uuid4().hex}"
        async with within(self._waits.upload):
            await self._box.files.write(path, frame)
        return {"path": path}

    def _env(self, call: Call) -> dict[str, str]:
        ours = {"HOME": HOME, "LANG": "C.UTF-8", "TERM": "dumb", "TMPDIR": "/tmp", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        ours["BACKSPACE_OUTPUT"] = f"{self._root}/output"
        if self._wheels:
            ours |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS}
        return ours | dict(call.env)


def _entries(wheels: Path) -> list[WriteEntry]:
    files = [path for path in wheels.iterdir() if path.is_file()]
    return [WriteEntry(path=f"{WHEELS}/{path.name}", data=path.read_bytes()) for path in files]


async def _close(handle: AsyncCommandHandle) -> None:
    with contextlib.suppress(Exception):
        await handle.disconnect()


def _unpack(printed: str) -> dict[str, Any]:
    """Raises Transient for what is no reply, as when something else wrote to the far end's stdout."""
    try:
        line, _, rest = zlib.decompress(base64.b64decode(printed.rstrip().rpartition("\n")[2])).partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
    except (ValueError, zlib.error):
        raise Transient("The sandbox gave an answer that can't be read.") from None
    parts = []
    for length in reply.get("lengths", ()):
        parts.append(rest[:length])
        rest = rest[length:]
    return reply | {"parts": parts}


def _result(reply: dict[str, Any], output: str) -> Result:
    parts = reply["parts"]
    return Result(
        ended=reply["ended"],
        exit_code=reply["exit_code"],
        stdout=Stream(parts[0], parts[1], reply["stdout"], f"{output}/stdout"),
        stderr=Stream(parts[2], parts[3], reply["stderr"], f"{output}/stderr"),
        seconds=reply["seconds"],
    )


def _never_started(why: str) -> Result:
    said = f"{why}\n".encode()
    return Result("exited", 126, Stream(b"", b"", 0, ""), Stream(said, b"", len(said), ""), 0.0)
