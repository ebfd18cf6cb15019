"""`python -m tests.runs.queue_process ADDRESS`: an engine with one slot, on this database, and who begins besides the one in it.

Each of those that wait is told to go past the queue: a run, one that was at work before, and a workflow of another kind.
"""

import asyncio
import json
import os
import sys

import sqlalchemy as sa

from app.core.redact import Redactor
from app.runs.engine import Engine, Json, Workflow
from app.runs.numbers import task_of


async def main(address: str) -> None:
    began: list[str] = []

    async def code(workflow: Workflow, _spec: Json) -> Json:
        began.append(workflow.id)
        await asyncio.Event().wait()
        return {}

    engine = Engine(address, Redactor(()), max_runs=1)
    for kind in ("run", "salvage"):
        engine.register(kind, code)
    await engine.start()
    waiting = {"was-at-work.1": "run", "other.1": "salvage", "waits.1": "run"}
    for run, kind in {"works.1": "run", **waiting}.items():
        await engine.enqueue(kind, run, run, {})
        while not began:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    schema = "" if address.startswith("sqlite") else "dbos."
    tried = sa.text(f"update {schema}workflow_status set recovery_attempts = 1 where workflow_uuid = 'was-at-work.1'")
    await engine.db(lambda c: c.execute(tried))
    for run in waiting:
        await engine.past_queue(task_of(run))
    while len(began) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await asyncio.sleep(1.5)  # two looks of the queue
    print(json.dumps(began), flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
