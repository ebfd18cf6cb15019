"""The processes of a sandbox that a client started, with who listens to them: the ways of envd.

Output goes to those who listen while it is written; nobody can have it later. How a process ended is told for `RETENTION` seconds.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.e2b_cloud.machine import Machine, Refused

RETENTION = 30.0
CHUNK = 32 << 10
BUFFERED = 64
"""Chunks that a listener may lag behind before the process has to wait for it."""

Event = dict[str, Any]


@dataclass(eq=False)
class Process:
    pid: int
    config: Mapping[str, Any]
    tag: str | None
    stdin: asyncio.StreamWriter | None
    listeners: list[asyncio.Queue[Event]] = field(default_factory=list)
    told_to_end: asyncio.Event = field(default_factory=asyncio.Event)
    end: Event | None = None

    async def tell(self, event: Event) -> None:
        for listener in list(self.listeners):
            await listener.put(event)

    @contextlib.contextmanager
    def listen(self) -> Iterator[asyncio.Queue[Event]]:
        queue: asyncio.Queue[Event] = asyncio.Queue(BUFFERED)
        self.listeners.append(queue)
        try:
            yield queue
        finally:
            self.listeners.remove(queue)
            while not queue.empty():  # whoever waits to put something in is let go
                queue.get_nowait()


class Processes:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.live: dict[int, Process] = {}
        self.over: dict[int, Process] = {}
        self.watches: set[asyncio.Task[None]] = set()

    def find(self, selector: Mapping[str, Any], *, over: bool = False) -> Process:
        """Raises Refused."""
        pid, tag = selector.get("pid"), selector.get("tag")
        known: list[Process] = [*self.live.values(), *(self.over.values() if over else ())]
        for process in known:
            if process.pid == pid or (pid is None and process.tag == tag):
                return process
        raise Refused("not_found", f"process with {f'tag {tag}' if pid is None else f'pid {pid}'} not found")

    async def start(
        self,
        config: Mapping[str, Any],
        env: Mapping[str, str],
        tag: str | None,
        *,
        stdin: bool,
        network: bool,
        seconds: float | None,
    ) -> Process:
        """Raises Refused."""
        (out, theirs_out), (err, theirs_err) = os.pipe(), os.pipe()
        theirs_in, ours_in = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), None)
        given = (theirs_in, theirs_out, theirs_err)
        argv = [config["cmd"], *config.get("args", [])]
        try:
            reply, _ = await self.machine.ask(
                "spawn", given, argv=argv, env=dict(env), cwd=config.get("cwd", ""), network=network
            )
        except BaseException:
            for fd in (out, err, ours_in):
                if fd is not None:
                    os.close(fd)
            raise
        finally:
            for fd in given:
                os.close(fd)
        process = Process(reply["pid"], config, tag, await writer(ours_in) if ours_in is not None else None)
        self.over.pop(process.pid, None)
        self.live[process.pid] = process
        watch = asyncio.create_task(self._watch(process, out, err, seconds))
        self.watches.add(watch)
        watch.add_done_callback(self.watches.discard)
        return process

    async def signal(self, process: Process, number: signal.Signals) -> None:
        """To the process alone: what it has started goes on."""
        process.told_to_end.set()
        if not self.machine.end_of(process.pid).done():
            await self.machine.ask("signal", pid=process.pid, signal=number)

    async def _watch(self, process: Process, out: int, err: int, seconds: float | None) -> None:
        """It has ended when nobody has its output open any more, or when it was told to end and has."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds, lambda: asyncio.ensure_future(self._out_of_time(process))) if seconds else None
        async with contextlib.AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(reader(fd)) for fd in (out, err)]
            names = ("stdout", "stderr")
            copies = asyncio.gather(*(self._copy(process, n, s) for n, s in zip(names, streams, strict=True)))
            told = asyncio.create_task(process.told_to_end.wait())
            try:
                await asyncio.wait((copies, told), return_when=asyncio.FIRST_COMPLETED)
                status = await self.machine.end_of(process.pid)
            finally:
                told.cancel()
                if timer:
                    timer.cancel()
        await copies
        self.machine.ends.pop(process.pid, None)
        await self._over(process, status)

    async def _out_of_time(self, process: Process) -> None:
        with contextlib.suppress(Refused):
            await self.signal(process, signal.SIGKILL)

    async def _copy(self, process: Process, name: str, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(CHUNK):
            if process.listeners:
                await process.tell({"data": {name: chunk}})

    async def _over(self, process: Process, status: int) -> None:
        said = f"exit status {status}" if status >= 0 else f"signal: {signal.strsignal(-status) or -status}".lower()
        process.end = {"end": {"exitCode": max(status, -1), "exited": status >= 0, "status": said}}
        if status:
            process.end["end"]["error"] = said
        if process.stdin:
            process.stdin.close()
        if self.live.get(process.pid) is process:
            del self.live[process.pid]
            self.over[process.pid] = process
            asyncio.get_running_loop().call_later(RETENTION, self._forget, process)
        await process.tell(process.end)

    def _forget(self, process: Process) -> None:
        if self.over.get(process.pid) is process:
            del self.over[process.pid]

    async def close(self) -> None:
        watches = list(self.watches)
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)


@contextlib.asynccontextmanager
async def reader(fd: int) -> AsyncIterator[asyncio.StreamReader]:
    stream = asyncio.StreamReader(limit=CHUNK)
    protocol = asyncio.StreamReaderProtocol(stream)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(fd, "rb", 0))
    try:
        yield stream
    finally:
        transport.close()


async def writer(fd: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(fd, "wb", 0)
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)
