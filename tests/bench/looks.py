"""`python -m tests.bench.looks [sqlite|postgresql]`: what the looks that each server takes again and again cost with so many open tasks.

Milliseconds of wall time and of this process's CPU for one look: all open tasks, as the loop over the comments reads them every second
or two, and whether it is one task's turn, as tasks that wait ask every two seconds, 50 of them at most.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.core.task import Actor, Repository, ThreadRequest
from app.runs import tables
from app.runs.database import Database
from app.runs.line import _begin, line
from tests.runs.postgres import started

OPEN = (10, 100, 1_000, 10_000)
TIMES = 3


def request(n: int) -> ThreadRequest:
    """With an issue of two thousand characters; a tenth as many installations as tasks."""
    return ThreadRequest(
        key=f"c-{n}-{n}",
        delivery=f"d{n}",
        installation=n // 10,
        repository=Repository(id=n, full_name=f"acme/r{n}"),
        thread=1,
        actor=Actor(id=n, login=f"u{n}"),
        comment_id=n,
        instruction="add the comma",
        title="Greet politely",
        body="The greeting lacks a comma. " * 70,
        url="https://github.com/acme/r/issues/1",
        asked_at="2026-01-01T00:00:00Z",
    )


def fill(database: Database, before: int, until: int) -> None:
    def write(connection: sa.Connection) -> None:
        for n in range(before, until):
            tables.add_task(request(n))(connection)
            connection.execute(line.insert().values(task=request(n).key, begun=n % 2 == 0))

    database.transaction(write)


def cost(database: Database, work: Callable[[sa.Connection], Any]) -> str:
    began, used = time.perf_counter(), time.process_time()
    for _ in range(TIMES):
        database.transaction(work)
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    return f"{wall / TIMES * 1000:8.1f} ({cpu / TIMES * 1000:.1f})"


def main(kind: str) -> None:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{home}/backspace.db"
        if kind == "postgresql":
            server = started(home / "postgres")
            stack.callback(server.cleanup)
            url = server.get_uri()
        database = Database(url)
        database.open()
        print("open tasks    all open: ms (CPU)    one's turn: ms (CPU)")
        for before, until in zip((0, *OPEN), OPEN, strict=False):
            fill(database, before, until)
            alive = [request(n).key for n in range(until)]
            turn = _begin(request(until - 1), alive, 4)
            print(f"{until:10} {cost(database, tables.open_tasks()):>21} {cost(database, turn):>23}", flush=True)
        database.engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:] or ["sqlite"])
