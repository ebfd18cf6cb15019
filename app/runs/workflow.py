"""What a workflow's code sees of the engine."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from dbos import DBOS

from app.core.errors import Transient
from app.core.events import Error
from app.core.redact import Redactor
from app.runs.holders import Execution

log = logging.getLogger(__name__)
Json = dict[str, Any]
StepBody = Callable[[], Awaitable[Json]]
TROUBLE = frozenset({"failed", "waits"})
"""What the output of a step holds that did not succeed."""
WAITS = frozenset({"line"})
"""Steps that do nothing but wait: what ended their process was not theirs, however often."""
IN_VAIN = "The server was ended three times at this point, so the work goes no further."


class Host(Protocol):
    redact: Redactor

    async def may_go_on(self) -> None: ...
    def recorded(self, workflow_id: str) -> None: ...


class Workflow:
    """One execution of it. Its code branches on nothing but what steps returned."""

    def __init__(self, engine: Host, workflow_id: str, execution: Execution) -> None:
        self.id = workflow_id
        self.execution = execution
        self.under_way = ""
        """Name of the step that runs now."""
        self._engine = engine

    async def step(self, name: str, body: StepBody) -> Json:
        """Run and record `body`, or return what was recorded. `body` returns small plain JSON and does not raise what is expected.

        A step that has ended its process too often is recorded as one that has failed.
        """
        await self._engine.may_go_on()
        ran = False

        async def recorded() -> Json:  # DBOS tells async from sync by the function, not by what a lambda returns
            nonlocal ran
            ran = True
            if self.execution.is_vain and name not in WAITS:
                log.error("step %s is given up: %s", name, IN_VAIN, extra={"task": self.id})
                return {"failed": IN_VAIN, "events": [Error(message=IN_VAIN).model_dump()]}
            output = await body()
            # Trouble is told in the words of others; all else is redacted where it comes in.
            return self._engine.redact.value(output) if output.keys() & TROUBLE else output

        self.under_way = name
        output: Json = await DBOS.run_step_async({"name": name}, recorded)
        self.under_way = ""
        if ran:
            await patiently(self.execution.got_further)
        self._engine.recorded(self.id)
        return output

    async def patched(self, name: str) -> bool:
        """Whether the change of this name holds for this execution: not where it was past this place before there was the change.

        Recorded. A version that asks for a step which earlier ones did not record at that place, or not under that name, asks this first,
        and does as they did where it is False. See docs/design.md, "An upgrade".
        """
        await self._engine.may_go_on()
        return await DBOS.patch_async(name)


WorkflowCode = Callable[[Workflow, Json], Awaitable[Json]]


async def patiently(work: Callable[[], Awaitable[None]]) -> None:
    """Until the database can be used: for what a workflow does beside its steps, where an error would end it."""
    while True:
        try:
            return await work()
        except Transient as e:
            log.warning("tried again: %s", e)
            await asyncio.sleep(1)
