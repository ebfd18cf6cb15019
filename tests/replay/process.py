"""`python -m tests.replay.process LOGS`: go on with each log in this file, cut behind its steps, by the workflows of this version.

Prints the kinds of workflow that there are, and for each log and cut (`<id>!<place in the file>!<steps>`) what was asked for from there on,
or the error. Settings come from the environment, as a server's do; nothing is reached by them, for no step's body is ever run.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import sqlalchemy as sa

from app.core.redact import Redactor
from app.runs.engine import Engine, Json, Workflow, WorkflowCode
from app.settings import load
from app.wiring import assembled, sandboxes_of
from tests.replay.logs import Log, errors, loaded, names, put

SECONDS = 90.0
CHANGED, CHANGE = "changed run", "one more step"


class Replaying(Engine):
    """Each workflow goes up to the first step that is not recorded, and no further."""

    def __init__(self, url: str) -> None:
        super().__init__(url, Redactor(()), max_runs=1)
        self.kinds: list[str] = []
        self.asked: dict[str, list[str]] = {}
        """By workflow; its own end is the last name, ""."""

    def register(self, name: str, code: WorkflowCode) -> None:
        self.kinds.append(name)
        self._register(name, code)
        if name == "run":
            self._register(CHANGED, changed(code))

    def _register(self, name: str, code: WorkflowCode) -> None:
        async def up_to_the_cut(workflow: Workflow, spec: Json) -> Json:
            if workflow.id not in self.asked:  # begun by one that is looked at
                return {}
            output = await code(cast(Any, Halting(workflow, self.asked[workflow.id])), spec)
            self.asked[workflow.id].append("")
            return output

        super().register(name, up_to_the_cut)


def changed(code: WorkflowCode) -> WorkflowCode:
    """The workflow of a version to come, which takes one more step than those that were recorded."""

    async def with_one_more(workflow: Workflow, spec: Json) -> Json:
        if await workflow.patched(CHANGE):
            await workflow.step("one more", cast(Any, None))
        return await code(workflow, spec)

    return with_one_more


class Halting:
    """A workflow that halts in the first step that runs."""

    def __init__(self, workflow: Workflow, asked: list[str]) -> None:
        self.id = workflow.id.partition("!")[0]
        self._workflow = workflow
        self._asked = asked

    async def step(self, name: str, body: Any) -> Json:
        async def halt() -> Json:
            self._asked.append(name)
            await asyncio.Event().wait()
            return {}

        return await self._workflow.step(name, halt)

    async def patched(self, name: str) -> bool:
        return await self._workflow.patched(name)


def chosen(logs: list[Log]) -> Iterator[tuple[int, int]]:
    """Every log whole, and cut behind each step unless another one with the same steps up to the next was."""
    known = set[tuple[str, ...]]()
    for at, log in enumerate(logs):
        for cut in range(len(log.steps)):
            path = (log.workflow, *log.names[: cut + 1])
            if path not in known:
                yield at, cut
            known.add(path)
        yield at, len(log.steps)


async def main(logs: list[Log]) -> None:
    settings = load()
    engine = Replaying(settings.backspace_database_url)
    async with aiohttp.ClientSession() as session:
        assembled(settings, engine, sandboxes_of(settings), Redactor(()), session)
        await engine.start()
        cuts = {f"{logs[at].id}!{at}!{cut}": (logs[at], cut) for at, cut in chosen(logs)}
        engine.asked = {workflow: [] for workflow in cuts}

        def put_all(connection: sa.Connection) -> None:
            for workflow, (log, cut) in cuts.items():
                put(connection, log, workflow, cut)

        await engine.db(put_all)
        end, failed = time.monotonic() + SECONDS, dict[str, str]()
        while time.monotonic() < end and not all(engine.asked[one] or one in failed for one in cuts):
            await asyncio.sleep(0.2)
            failed = await engine.db(errors)

        def outcomes(connection: sa.Connection) -> Json:
            """Behind the cut: workflows that were begun, then the step that was asked for."""
            return {
                workflow: failed.get(workflow) or [*names(connection, workflow, cut), *engine.asked[workflow]]
                for workflow, (_, cut) in cuts.items()
            }

        print(json.dumps({"kinds": sorted(engine.kinds), "outcomes": await engine.db(outcomes)}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(loaded(Path(sys.argv[1]))))
