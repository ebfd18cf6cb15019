"""`python -m tests.bench.streams [TASKS [TURNS]]`: that many tasks at once by `POST /code`, each read by its own stream to its end.

Every stream is compared with a replay afterwards, so a lost or doubled event is seen: that, or a task that ends otherwise than it should,
ends this with 1. Memory and CPU are those of the server process alone (/proc). What keeps its event loop is measured inside of it, as
`tests/e2e/test_watched.py` does (which costs it some CPU); `GET /healthz`, which touches neither disk nor network, is what others wait.
"""

import asyncio
import json
import os
import re
import secrets
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from app.core.task import Outcome
from tests.e2e.lab import FIX, ROOT, Json, Lab, Repo, Server, bash, simulator, until

TASKS_OF_A_REPOSITORY = 5
"""GitHub's limit of writes is by installation, so one repository alone would be measured by its pace."""
WATCHED = ROOT / "tests/e2e/watched"
PROBE = 0.1
"""Seconds between two looks at the server's health."""


@dataclass
class Seen:
    ids: list[str] = field(default_factory=list)
    outcome: str = ""
    first: float = 0.0
    """Seconds from the request to its first event."""
    whole: float = 0.0


async def read(session: aiohttp.ClientSession, method: str, url: str, **request: object) -> tuple[Seen, str]:
    """All events of one stream, and the task's address."""
    seen, began = Seen(), time.monotonic()
    async with session.request(method, url, **request) as reply:  # type: ignore[arg-type]
        assert reply.status == 200, f"{reply.status} {await reply.text()}"
        location = reply.headers.get("Location", "")
        async for raw in reply.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("id: "):
                seen.ids.append(line[4:])
                seen.first = seen.first or time.monotonic() - began
            elif line.startswith("data: ") and (event := json.loads(line[6:]))["type"] == "Done":
                seen.outcome = event["outcome"]
    seen.whole = time.monotonic() - began
    return seen, location


async def probe(session: aiohttp.ClientSession, server: Server, lags: list[float], memory: list[int]) -> None:
    assert server.process
    while True:
        began = time.monotonic()
        async with session.get(f"{server.url}/healthz") as reply:
            assert reply.status == 200
        lags.append((time.monotonic() - began) * 1000)
        memory.append(resident(server.process.pid))
        await asyncio.sleep(PROBE)


def resident(pid: int) -> int:
    """MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measured(server: Server, repos: list[Repo], tasks: int, expected: Outcome) -> list[str]:
    """Prints the figures: what was wrong."""
    assert server.process
    lags: list[float] = []
    memory: list[int] = [resident(server.process.pid)]
    cpu = cpu_seconds(server.process.pid)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
        watching = asyncio.create_task(probe(session, server, lags, memory))
        began = time.monotonic()
        asked = [
            {"repo_url": f"{server.lab.url}/{repos[n % len(repos)].full_name}", "prompt": f"add the comma, {n}"}
            for n in range(tasks)
        ]
        done = await asyncio.gather(*(read(session, "POST", f"{server.url}/code", json=body) for body in asked))
        whole = time.monotonic() - began
        watching.cancel()
        wrong = [problem for each in done async for problem in problems(session, server, *each, expected)]
    used = cpu_seconds(server.process.pid) - cpu
    lags.sort()
    print(f"{tasks} tasks at once: all streams whole after {whole:.0f} s; outcomes {outcomes(done)}")
    print(f"events {sum(len(seen.ids) for seen, _ in done)}; wrong: {len(wrong)}")
    print(
        f"first event after: median {statistics.median(s.first for s, _ in done):.2f} s, slowest {max(s.first for s, _ in done):.2f} s"
    )
    print(
        f"server: {memory[0]} MB before, {max(memory)} MB at most; {used:.1f} s of CPU, {used / tasks * 1000:.0f} ms a task"
    )
    print(
        f"loop: healthz median {statistics.median(lags):.1f} ms, 99 % {lags[int(len(lags) * 0.99)]:.0f} ms, slowest {lags[-1]:.0f} ms"
    )
    print(f"loop, from inside: kept for {kept_longest(server.log)} ms at most")
    return wrong


async def problems(
    session: aiohttp.ClientSession, server: Server, seen: Seen, location: str, expected: Outcome
) -> AsyncIterator[str]:
    again, _ = await read(session, "GET", server.url + location)
    if not seen.ids or again.ids != seen.ids:
        yield f"{location}: the stream and its replay differ"
    if seen.outcome != expected:
        yield f"{location}: the outcome is {seen.outcome or 'none'}, and not {expected}"


def kept_longest(log: str) -> int:
    """ms."""
    return max((int(ms) for ms in re.findall(r"(?:the longest so far|was blocked): (\d+) ms", log)), default=0)


def watch(server: Server) -> None:
    """From now on its event loop is watched."""
    assert server.process
    server.process.send_signal(signal.SIGUSR1)
    until(lambda: "the event loop is watched" in server.log)


def outcomes(done: list[tuple[Seen, str]]) -> dict[str, int]:
    names = [seen.outcome or "none" for seen, _ in done]
    return {name: names.count(name) for name in sorted(set(names))}


def turns_of(turns: int) -> list[Json]:
    """One is an answer alone; more are an edit, commands, and an answer: then there are checks, and a pull request."""
    last: Json = {"text": "Greet with a comma"}
    if turns == 1:
        return [last]
    commands = [{"tools": [bash(f"echo {secrets.token_hex(4)}")]} for _ in range(turns - 2)]
    return [{"text": "I add the comma.", "tools": [FIX]}, *commands, last]


def main(tasks: int, turns: int) -> None:
    with tempfile.TemporaryDirectory() as folder, simulator(Path(folder)) as url:
        lab = Lab(url, Path(folder))
        server = lab.server(BACKSPACE_MAX_RUNS=str(tasks), PYTHONPATH=os.pathsep.join([str(WATCHED), *sys.path]))
        watch(server)
        repos = [lab.repository(server) for _ in range(-(-tasks // TASKS_OF_A_REPOSITORY))]
        for repo in repos:
            repo.script(*turns_of(turns))
        try:
            wrong = asyncio.run(measured(server, repos, tasks, "nothing" if turns == 1 else "ready"))
        finally:
            server.stop()
            lab.http.close()
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    numbers = [int(given) for given in sys.argv[1:]]
    main(numbers[0] if numbers else 200, numbers[1] if numbers[1:] else 5)
