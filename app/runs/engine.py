"""Durable execution: workflows of recorded steps on DBOS. The only file that imports it.

A step runs at least once and is recorded once; after a crash a workflow goes on behind its last recorded step. The defaults that are
replaced here each cost days elsewhere: see docs/design.md, "The engine".
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID

from app.core.errors import UserError
from app.core.events import EVENT, Entry
from app.runs import tables

log = logging.getLogger(__name__)
T = TypeVar("T")

Json = dict[str, Any]
StepBody = Callable[[], Awaitable[Json]]
QUEUE = "runs"
NEVER = 1_000_000
"""Recovery attempts after which DBOS itself would give a workflow up, in which case no code of ours runs: it must never act."""


class Workflow:
    """What a workflow's code sees of the engine. Its code branches on nothing but what steps returned."""

    def __init__(self, engine: "Engine", workflow_id: str) -> None:
        self.id = workflow_id
        self._engine = engine

    async def step(self, name: str, body: StepBody) -> Json:
        """Run and record `body`, or return what was recorded. `body` returns small plain JSON and does not raise what is expected."""

        async def recorded() -> Json:  # DBOS tells async from sync by the function, not by what a lambda returns
            return await body()

        output: Json = await DBOS.run_step_async({"name": name}, recorded)
        self._engine.recorded()
        return output


@dataclass(frozen=True)
class Recorded:
    """A step as it was recorded; times in Unix seconds."""

    name: str
    began: float
    ended: float
    output: Json


WorkflowCode = Callable[[Workflow, Json], Awaitable[Json]]


class Engine:
    """One per process. `start` inside the running loop, so that workflows live on it."""

    def __init__(self, database_url: str, *, max_runs: int) -> None:
        self._path = Path(database_url.removeprefix("sqlite:///"))
        self._url = database_url
        self._max_runs = max_runs
        self._code: dict[str, Any] = {}
        self._wakers: set[asyncio.Event] = set()
        self._stops: dict[str, asyncio.Event] = {}

    def register(self, name: str, code: WorkflowCode) -> None:
        """Give a kind of workflow its code, before `start`."""

        async def body(spec: Json) -> Json:
            assert DBOS.workflow_id is not None
            return await code(Workflow(self, DBOS.workflow_id), spec)

        body.__qualname__ = name
        self._code[name] = DBOS.workflow(name=name, max_recovery_attempts=NEVER)(body)

    async def start(self) -> None:
        """Open the database and take up every unfinished workflow. Raises UserError where the file can't be had."""
        self._take_file()
        self._db = _sqlite(self._url)
        DBOS(
            config={
                "name": "backspace",
                "system_database_url": self._url,
                "system_database_engine": self._db,
                "serializer": DBOSPortableJSONSerializer(),
                "application_version": "1",
                "executor_id": "this-file",
                "max_executor_threads": 16,
                "log_level": "WARNING",
            }
        )
        await self.db(tables.create)
        DBOS.launch()
        await DBOS.register_queue_async(
            QUEUE,
            partition_concurrency=1,
            worker_concurrency=self._max_runs,
            polling_interval_sec=0.25,
            on_conflict="always_update",
        )

    def _take_file(self) -> None:
        """One SQLite file serves one process: then every unfinished workflow in it is ours to take up, and nobody races us."""
        try:
            self._path.touch(mode=0o600)
            self._lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"Another Backspace process uses {self._path}: one SQLite file serves one process."
            ) from None
        except OSError as e:
            raise UserError(f"BACKSPACE_DATABASE_URL: {self._path} can't be opened ({e.strerror}).") from None

    async def db(self, work: Callable[[sa.Connection], T]) -> T:
        """One transaction, off the loop."""

        def transaction() -> T:
            with self._db.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(transaction)

    async def begin(self, name: str, workflow_id: str, spec: Json) -> None:
        """Start a workflow at once. It is on disk when this returns; the same id starts nothing new."""
        with SetWorkflowID(workflow_id):
            await DBOS.start_workflow_async(self._code[name], spec)

    async def enqueue(self, name: str, workflow_id: str, thread: str, spec: Json) -> None:
        """Put a workflow in line: one at a time in a thread, `max_runs` in this process."""
        with SetWorkflowID(workflow_id), SetEnqueueOptions(queue_partition_key=thread):
            await DBOS.enqueue_workflow_async(QUEUE, self._code[name], spec)

    async def steps(self, workflow_id: str) -> list[Recorded]:
        """All recorded steps, in order. Not to be called in a workflow: there it would be recorded itself, output and all."""
        return [
            Recorded(
                name=step["function_name"],
                began=(step["started_at_epoch_ms"] or 0) / 1000,
                ended=(step["completed_at_epoch_ms"] or 0) / 1000,
                output=step["output"] if isinstance(step["output"], dict) else {},
            )
            for step in await DBOS.list_workflow_steps_async(workflow_id)
        ]

    async def entries(self, workflow_id: str, after: int = 0) -> tuple[list[Entry], int]:
        """The recorded events behind the first `after` steps, and how many steps there are now: the next call's `after`."""
        steps = await DBOS.list_workflow_steps_async(workflow_id, offset=after)
        found = [
            Entry(
                id=f"{workflow_id}.{step['function_id']}.{k}",
                at=(step["completed_at_epoch_ms"] or 0) / 1000,
                event=EVENT.validate_python(event),
            )
            for step in steps
            if isinstance(step["output"], dict)
            for k, event in enumerate(step["output"].get("events", ()))
        ]
        return found, after + len(steps)

    def waker(self) -> asyncio.Event:
        """An event that is set each time a step is recorded here; its reader clears it."""
        event = asyncio.Event()
        self._wakers.add(event)
        return event

    def recorded(self) -> None:
        for event in self._wakers:
            event.set()

    async def stop_task(self, task: str, actor: str, key: str) -> None:
        """Say stop to a task: on disk first, then to the step that runs now."""
        await self.db(tables.say(task, "stop", actor, key))
        self.stopping(task).set()

    def stopping(self, task: str) -> asyncio.Event:
        """Set when somebody has said stop to this task while this process runs; `who_stopped` knows of earlier ones."""
        return self._stops.setdefault(task, asyncio.Event())

    def forget(self, task: str) -> None:
        self._stops.pop(task, None)


def _sqlite(url: str) -> sa.Engine:
    """One connection, write-ahead log, every commit on disk before the next step; DBOS's defaults set no write-ahead log."""
    engine = sa.create_engine(url, pool_size=1, max_overflow=0)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"  # a custom engine skips DBOS's own listener
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
