"""`python -m tests.runs.engine_process TIMES`: an engine on `engine.db` of this folder, that begins one workflow so many times at once.

The workflow counts itself, fails, waits for a file `go`, and says why it failed: `count`, `tries`, `said`.
"""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

from app.core.errors import UserError
from app.core.redact import Redactor
from app.runs.engine import Engine, Json, Workflow
from app.runs.steps import Failed, attempt, checked

SECRET = "a-secret-that-a-server-knows"


def _append(name: str, text: str) -> None:
    with Path(name).open("a") as file:
        file.write(text)


async def _write(name: str, text: str) -> Json:
    await asyncio.to_thread(_append, name, text)
    return {}


async def _fail() -> Json:
    await _write("tries", "x")
    raise UserError(f"Git said: {SECRET}.")


async def _wait() -> Json:
    while not await asyncio.to_thread(Path("go").exists):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return {}


async def code(workflow: Workflow, spec: Json) -> Json:
    await workflow.step("count", partial(_write, "count", "x"))
    try:
        checked(await workflow.step("fail", partial(attempt, _fail)))
    except Failed as e:
        said = str(e)
    await workflow.step("wait", _wait)
    await workflow.step("say", partial(_write, "said", said))
    return {}


async def main(times: int) -> None:
    engine = Engine("sqlite:///engine.db", Redactor([SECRET]), max_runs=1)
    engine.register("work", code)
    await engine.start()
    await asyncio.gather(*(engine.begin("work", "one.1", {"n": n}) for n in range(times)))
    print("begun", flush=True)
    while not await asyncio.to_thread(Path("said").exists):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
