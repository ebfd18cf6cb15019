"""The stand-in for a test: a process of its own, and what a test says to it."""

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]


@dataclass(frozen=True)
class E2B:
    url: str
    key: str
    http: httpx.Client

    @property
    def options(self) -> Json:
        """For the SDK."""
        return {"api_key": self.key, "api_url": self.url, "sandbox_url": self.url}

    def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        """Of `/_cloud`. Fails the test on any error."""
        reply = self.http.request(method, f"/_cloud/{path}", json=body)
        assert reply.is_success, reply.text
        return reply.json() if reply.content else None

    def sandboxes(self, **metadata: str) -> list[Json]:
        found: list[Json] = self.ask("GET", "sandboxes")
        return [s for s in found if metadata.items() <= s["metadata"].items()]

    def sandbox(self, sandbox_id: str) -> Json:
        found: Json = self.ask("GET", f"sandboxes/{sandbox_id}")
        return found

    def requests(self, path: str = "", sandbox: str | None = None) -> list[Json]:
        """Those sent to a path that contains `path`, or with this sandbox in their path or header; oldest first."""
        found: list[Json] = self.ask("GET", "requests")
        return [
            r for r in found if path in r["path"] and (not sandbox or sandbox in (r["sandbox"], *r["path"].split("/")))
        ]

    def order(self, what: str, sandbox_id: str) -> None:
        """`expire`, `pause`, `resume`, `vanish`, or `drop` its connections."""
        self.ask("POST", f"sandboxes/{sandbox_id}/{what}")

    def fault(self, path: str, **asked: Any) -> int:
        """Goes wrong for the requests whose path matches the expression; README.md has the words. Its id."""
        return int(self.ask("POST", "faults", {"path": path, **asked})["id"])

    def hits(self, fault: int) -> int:
        return int(next(f["hits"] for f in self.ask("GET", "faults") if f["id"] == fault))

    def mend(self) -> None:
        """No faults, and the usual plan."""
        self.ask("DELETE", "faults")
        self.ask("PUT", "plan", {})


async def until(true: Callable[[], Any], seconds: float = 20) -> None:
    """Returns as soon as it is true; it may be a coroutine that is. Fails the test after `seconds`."""
    for _ in range(int(seconds / 0.02)):
        found = true()
        if await found if inspect.isawaitable(found) else found:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"it did not become true within {seconds} s")


@contextmanager
def e2b_cloud(folder: Path) -> Iterator[E2B]:
    """A stand-in with its disks in the folder, until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "e2b.log").open("wb") as log:
        arguments = [sys.executable, "-m", "tests.e2b_cloud", "--data", str(folder / "disks")]
        process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
    assert process.stdout
    with process.stdout, process:
        try:
            line = process.stdout.readline()
            assert line, (folder / "e2b.log").read_text()
            said = json.loads(line)
            with httpx.Client(base_url=said["url"], timeout=60) as http:
                yield E2B(said["url"], said["key"], http)
        finally:
            process.terminate()
            process.wait()
