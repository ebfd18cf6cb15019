"""Several processes on one PostgreSQL: each run is one's, and goes on where its process does not.

What is used of DBOS beyond its documented calls (recovery of another's runs, the end of its queues) is held to here.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.command import PASSED_ON, ROOT
from tests.e2e.lab import until
from tests.runs.postgres import database, postgres

__all__ = ["database", "postgres"]

Peer = subprocess.Popen[str]


class World:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.peers: list[Peer] = []

    def peer(self, name: str, *jobs: dict[str, Any], max_runs: int = 4, ids: tuple[str, ...] = ()) -> Peer:
        argv = [sys.executable, "-m", "tests.runs.peer_process", name, str(max_runs), *map(json.dumps, jobs)]
        env = {**PASSED_ON, "PYTHONPATH": str(ROOT), "DATABASE_URL": self.url, "IDS": json.dumps(ids)}
        peer = subprocess.Popen(argv, cwd=self.folder, env=env, stdout=subprocess.PIPE, text=True)
        self.peers.append(peer)
        return peer

    def ready(self, peer: Peer) -> None:
        assert peer.stdout
        assert peer.stdout.readline() == "ready\n"

    def go(self, *words: str) -> None:
        for word in words:
            (self.folder / f"{word}.go").touch()

    @property
    def log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def until(self, line: str, seconds: float = 60) -> float:
        """Wait for this line: how long it took."""
        began = time.monotonic()
        until(lambda: line in self.log, seconds, f"{line!r} in {self.log}")
        return time.monotonic() - began

    def who_began(self, word: str) -> str:
        until(lambda: any(line.endswith(f" began {word}") for line in self.log), what=f"{word} in {self.log}")
        return next(line[0] for line in self.log if line.endswith(f" began {word}"))

    def speakers(self, workflow: str) -> list[str]:
        files = self.folder.glob("speaks-?")
        return sorted(file.name[-1] for file in files if workflow in json.loads(file.read_text()))

    def end(self) -> None:
        for peer in self.peers:
            peer.kill()
            peer.wait()
            assert peer.stdout
            peer.stdout.close()


@contextmanager
def _world(folder: Path, url: str) -> Iterator[World]:
    world = World(folder, url)
    try:
        yield world
    finally:
        world.end()


@pytest.fixture
def world(tmp_path: Path, database: str) -> Iterator[World]:
    with _world(tmp_path, database) as world:
        yield world


def job(name: str, *steps: tuple[str, str], thread: str | None = None) -> dict[str, Any]:
    return {"id": name, "thread": thread or name, "steps": steps}


@pytest.mark.many
def test_runs_of_a_killed_and_of_a_stopped_process_go_on_in_another(world: World) -> None:
    """FL-K11: two processes are started at once on an empty database, each takes one run; a third takes both over within 15 seconds."""
    ids = ("killed", "stopped", "next")
    a = world.peer("a", job("killed", ("tools", "k1"), ("tools", "k2")), max_runs=1, ids=ids)
    b = world.peer("b", job("stopped", ("tools", "s1"), ("tools", "s2")), max_runs=1, ids=ids)
    world.ready(a)
    world.ready(b)
    world.go("k1", "s1")
    killed, stopped = world.who_began("k2"), world.who_began("s2")
    assert {killed, stopped} == {"a", "b"}
    world.ready(world.peer("c", job("next", ("tools", "n1"), thread="killed"), max_runs=2, ids=ids))
    until(lambda: [world.speakers(i) for i in ids[:2]] == [[killed], [stopped]], what="a speaker for each run")
    until(lambda: len(world.speakers("next")) == 1, what="one speaker for what waits")

    first, other = (a, b) if killed == "a" else (b, a)
    first.kill()
    other.send_signal(signal.SIGSTOP)
    assert max(world.until("c began k2"), world.until("c began s2")) < 15
    other.send_signal(signal.SIGCONT)
    world.go("s2", "k2")
    world.until(f"{stopped} lost s2")
    world.until("c finished stopped")
    world.until("c finished killed")
    world.go("n1")
    until(lambda: any(line.endswith("finished next") for line in world.log), what="the end of what waited")
    assert sum("acted" in line for line in world.log) == 5
    assert sum(line.endswith(("began k1", "began s1")) for line in world.log) == 2
    assert f"{stopped} finished stopped" not in world.log
    assert world.log.index("c finished killed") < next(
        i for i, line in enumerate(world.log) if line.endswith("began n1")
    )


@pytest.mark.many
def test_told_to_end_a_process_hands_over_at_once_what_waits_for_commands(world: World) -> None:
    """FL-K10"""
    a = world.peer("a", job("idle", ("tools", "i1")), job("talks", ("turn", "t1"), ("tools", "t2")))
    world.ready(a)
    world.until("a began i1")
    world.until("a began t1")
    world.ready(world.peer("b"))
    a.terminate()
    assert world.until("b began i1") < 2
    time.sleep(11)  # longer than a lease lasts by itself
    world.go("t1")
    world.until("a acted t1")
    assert world.until("b began t2") < 2
    assert a.wait(5) == 0
    world.go("i1", "t2")
    world.until("b finished idle")
    world.until("b finished talks")
    assert not [line for line in world.log if line in ("b began t1", "a began t2")]


def test_a_step_that_ends_its_process_again_and_again_is_given_up(tmp_path: Path) -> None:
    """FL-K12: and not what waits for its turn meanwhile."""
    with _world(tmp_path, "sqlite:///engine.db") as world:
        world.go("fine", "after")
        steps = [("tools", "fine"), ("tools", "poison"), ("tools", "after")]
        world.peer("a", job("patient", ("line", "turn")), job("loop", *steps)).wait(60)
        for name in "bc":
            world.peer(name).wait(60)
        world.peer("d")
        world.until("d gave up poison")
        world.go("turn")
        world.until("d finished patient")
        assert [line for line in world.log if "began" in line and "turn" not in line] == [
            "a began fine",
            *(f"{name} began poison" for name in "abc"),
        ]
