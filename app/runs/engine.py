"""Durable execution: workflows of recorded steps on DBOS. This file, `workflow.py` and `records.py` alone know it.

A step runs at least once and is recorded once; after a crash a workflow goes on behind its last recorded step. The defaults that are
replaced here each cost days elsewhere: see docs/design.md, "The engine".
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Collection
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import sqlalchemy as sa
from dbos import DBOS, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID
from dbos._utils import INTERNAL_QUEUE_NAME

from app.core.errors import Transient
from app.core.fence import ACTING
from app.core.redact import Redactor
from app.runs import numbers, tables
from app.runs.database import Database, mark
from app.runs.holders import Execution
from app.runs.leases import BEAT, Leases
from app.runs.records import Recorded, Records
from app.runs.workflow import Json, Workflow, WorkflowCode, patiently

log = logging.getLogger(__name__)
T = TypeVar("T")

__all__ = ["Engine", "Json", "Recorded", "Workflow", "WorkflowCode"]
QUEUE = "runs"
NEVER = 1_000_000
"""Recovery attempts after which DBOS itself would give a workflow up, in which case no code of ours runs: it must never act."""
TO_BEGIN = 8.0
"""Seconds for a request to be on disk: GitHub gives a delivery ten."""
TO_END = 20.0
"""Seconds for what is under way when the process is told to end: a reply of the model, a request to GitHub."""
ALONE = "this-file"
"""Name of the one process that a SQLite file serves."""
DETACHED = ("prepare", "tools", "verify", "line")
"""Steps that wait for commands in a sandbox, which are keyed and go on without us, or for a turn. All others get time to be recorded."""


class Engine(Records):
    """One per process. `start` inside the running loop, so that workflows live on it."""

    def __init__(self, database_url: str, redactor: Redactor, *, max_runs: int) -> None:
        self._database = Database(database_url)
        self.redact = redactor
        self._executor = uuid.uuid4().hex[:12] if self._database.shared else ALONE
        self._leases = Leases(self.db, self._executor) if self._database.shared else None
        self._max_runs = max_runs
        self._code: dict[str, Any] = {}
        self._running: dict[str, Workflow] = {}
        self._wakers: set[asyncio.Event] = set()
        self._news: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self._stops: dict[str, asyncio.Event] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._draining = False

    def register(self, name: str, code: WorkflowCode) -> None:
        """Give a kind of workflow its code, before `start`."""

        async def body(spec: Json) -> Json:
            assert DBOS.workflow_id is not None
            return await self._execute(code, DBOS.workflow_id, spec)

        body.__qualname__ = name
        self._code[name] = DBOS.workflow(name=name, max_recovery_attempts=NEVER)(body)

    async def _execute(self, code: WorkflowCode, workflow_id: str, spec: Json) -> Json:
        execution = Execution(self.db, workflow_id, uuid.uuid4().hex)
        workflow = Workflow(self, workflow_id, execution)
        await patiently(execution.take_up)
        self._running[workflow_id] = workflow
        ACTING.set(execution)
        try:
            return await code(workflow, spec)
        finally:
            if self._running.get(workflow_id) is workflow:
                del self._running[workflow_id]
            await patiently(execution.end)

    async def start(self) -> None:
        """Open the database and take up every unfinished workflow that is nobody's. Raises UserError where it can't be had."""
        await asyncio.to_thread(self._database.open)
        self._dbos = DBOS(
            config={
                "name": "backspace",
                "system_database_url": self._database.url,
                "system_database_engine": self._database.engine,
                "serializer": DBOSPortableJSONSerializer(),
                "application_version": "1",
                "executor_id": self._executor,
                "max_executor_threads": 16,
                "log_level": "WARNING",
            }
        )
        DBOS.logger.handlers[:] = [logging.NullHandler()]  # its lines take the way of all others, by the redactor
        DBOS.logger.propagate = True
        if self._leases:
            await self._leases.beat()
        DBOS.launch()
        await DBOS.register_queue_async(
            QUEUE,
            partition_concurrency=1,
            worker_concurrency=self._max_runs,
            polling_interval_sec=0.25,
            on_conflict="always_update",
        )
        if self._leases:
            self._keep(asyncio.create_task(self._supervise(self._leases)))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def db(self, work: Callable[[sa.Connection], T], /) -> T:
        """One transaction, off the loop. Raises Transient where the database can't be used now."""
        return await asyncio.to_thread(self._database.transaction, work)

    async def keep(self, work: Callable[[sa.Connection], T], /) -> T:
        """As `db`, for what a step keeps beside its record. Raises LeaseLost where the work goes on in another process."""
        acting = ACTING.get()
        return await self.db(acting.fenced(work) if isinstance(acting, Execution) else work)

    async def begin(self, name: str, workflow_id: str, spec: Json, *, within: float | None = TO_BEGIN) -> None:
        """Start a workflow at once. It is on disk when this returns; the same id starts nothing new.

        Raises Transient where nothing was begun; and after `within` seconds, where it may still come to it.
        """
        if self._draining:
            raise Transient("This process is about to end.")
        await self.db(mark("asked"))  # the library would wait for room on the disk, and with it whoever asks
        beginning = asyncio.create_task(self.begin_unqueued(name, workflow_id, spec))
        self._keep(beginning)
        done, _ = await asyncio.wait({beginning}, timeout=within)
        if not done:
            raise Transient("The database is too slow.")
        beginning.result()

    async def begin_unqueued(self, name: str, workflow_id: str, spec: Json) -> None:
        """As `enqueue`, but at once: in nobody's line, and in no slot."""
        with SetWorkflowID(workflow_id):
            await DBOS.start_workflow_async(self._code[name], spec)

    async def enqueue(self, name: str, workflow_id: str, thread: str, spec: Json) -> None:
        """Put a workflow in line: one at a time in a thread, `max_runs` in this process."""
        with SetWorkflowID(workflow_id), SetEnqueueOptions(queue_partition_key=thread):
            await DBOS.enqueue_workflow_async(QUEUE, self._code[name], spec)

    async def past_queue(self, task: str) -> None:
        """A run whose turn in the queue never came begins at once, in nobody's slot: for a task that was stopped, with no work to do."""
        run = (await self.db(numbers.newest_ids([task])))[task]
        system = self._dbos._sys_db
        of = system.tables.workflow_status
        waits = of.c.status == "ENQUEUED", of.c.queue_name == QUEUE, of.c.name == "run", of.c.recovery_attempts == 0
        begin = sa.update(of).where(of.c.workflow_uuid == run, *waits).values(queue_name=INTERNAL_QUEUE_NAME)
        await self.db(lambda c: c.execute(begin, execution_options=system.engine.get_execution_options()).rowcount)

    @property
    def servers(self) -> int:
        """Processes that live, this one included."""
        return max(1, self._leases.alive) if self._leases else 1

    @property
    def slots(self) -> int:
        """Runs at the same time, in all processes together."""
        return self._max_runs * self.servers

    @property
    def is_first(self) -> bool:
        """Whether this process looks after what nobody runs."""
        return self._leases is None or self._leases.first == self._executor

    async def _supervise(self, leases: Leases) -> None:
        while True:
            try:
                await leases.beat()
                if not self._draining:
                    await self._take_over(leases)
                await self._hear_others()
            except Transient as e:
                log.warning("the lease was not renewed: %s", e)
            except Exception:
                log.exception("a look at the other processes failed; the next one tries again")
            await asyncio.sleep(BEAT)

    async def _take_over(self, leases: Leases) -> None:
        """Put the runs of dead processes back in line: again and again, so none is left by whatever happens in between."""
        for executor in leases.dead:
            if taken := await asyncio.to_thread(DBOS._recover_pending_workflows, [executor]):
                log.warning("%d runs of a process that is gone go on", len(taken))
            else:
                await leases.forget_past(executor)

    async def _hear_others(self) -> None:
        """What other processes have written: stops for what runs here, and steps that readers here wait for."""
        for task in await self.db(tables.stopped([numbers.task_of(run) for run in self._running])):
            self.stopping(task).set()
        self._wake(*self._wakers)

    async def speaks_for(self, workflow_ids: Collection[str]) -> set[str]:
        """Those that this process runs; and of those nobody runs, all where it is the first of the processes that live.

        The caller's task acts as this process from here on: see `guard`.
        """
        if self._leases is None or not workflow_ids:
            return set(workflow_ids)
        ACTING.set(self._leases.watch())
        first = self._leases.first
        running = await DBOS.list_workflows_async(
            workflow_ids=list(workflow_ids), status="PENDING", load_input=False, load_output=False
        )
        executors = {workflow.workflow_id: workflow.executor_id for workflow in running}
        return {one for one in workflow_ids if executors.get(one, first) == self._executor}

    async def may_go_on(self) -> None:
        """Never returns once this process is about to end."""
        if self._draining:
            await asyncio.Event().wait()

    async def drain(self, seconds: float = TO_END) -> None:
        """Begin nothing more, and give the steps under way so long to be recorded. The process is to end after this."""
        self._draining = True
        for event in self._dbos.background_thread_stop_events:
            event.set()
        try:
            async with asyncio.timeout(seconds + 1):  # for a database that is away, too
                await self._hand_all_over(asyncio.get_running_loop().time() + seconds)
                if self._leases:
                    await self._leases.drop()
        except (TimeoutError, Transient) as e:
            log.warning("the runs of this process were not handed over: %s", e)

    async def _hand_all_over(self, end: float) -> None:
        """At once what waits for commands, the others at their next step, or at the moment `end` of the loop's clock."""
        while self._running:
            late = asyncio.get_running_loop().time() >= end
            for workflow in list(self._running.values()):
                if late or not workflow.under_way or workflow.under_way in DETACHED:
                    await self._hand_over(workflow)
            await asyncio.sleep(0.1)

    async def _hand_over(self, workflow: Workflow) -> None:
        """Put it back in line, for another process or for the next start."""
        self._running.pop(workflow.id, None)
        await workflow.execution.hand_over()
        await asyncio.to_thread(
            self._dbos._sys_db.reenqueue_for_recovery, workflow.id, [self._executor], INTERNAL_QUEUE_NAME
        )

    def waker(self) -> asyncio.Event:
        """An event that is set each time a step is recorded here; its reader clears it."""
        event = asyncio.Event()
        self._wakers.add(event)
        return event

    async def wait(self, task: str, seconds: float) -> None:
        """Until a step of this task is recorded here; `seconds` at most, for other processes record too."""
        news = self._news.setdefault(task, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), seconds)

    def recorded(self, workflow_id: str) -> None:
        """Wake whoever waits for news, of this task or of any."""
        news = self._news.pop(numbers.task_of(workflow_id), None)
        self._wake(*self._wakers, *([news] if news else []))

    def _wake(self, *events: asyncio.Event) -> None:
        for event in events:
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
