"""`python -m tests.runs.peer_process NAME MAX_RUNS [JOB…]`: one of several engines on the database DATABASE_URL.

A JOB is JSON, `{"id", "thread", "steps": [[name, word], …]}`. A step says in the file `log` that it began, waits for a file `WORD.go`, and
says that it acted, or that the work was another's by then. `speaks-NAME` is kept true. SIGTERM drains it.
"""

import asyncio
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

from app.core.fence import LeaseLost, guard
from app.core.redact import Redactor
from app.runs.engine import Engine, Json, Workflow


class Peer:
    def __init__(self, name: str, max_runs: int) -> None:
        self.name = name
        self.engine = Engine(os.environ["DATABASE_URL"], Redactor(()), max_runs=max_runs)
        self.engine.register("work", self.work)

    def say(self, what: str, word: str) -> None:
        with Path("log").open("a") as log:
            log.write(f"{self.name} {what} {word}\n")

    async def work(self, workflow: Workflow, spec: Json) -> Json:
        for name, word in spec["steps"]:
            output = await workflow.step(name, partial(self.act, word))
            if "failed" in output:
                self.say("gave up", word)
                return {}
        self.say("finished", workflow.id)
        return {}

    async def act(self, word: str) -> Json:
        self.say("began", word)
        if word == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        while not await asyncio.to_thread(Path(f"{word}.go").exists):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        try:
            await guard()
        except LeaseLost:
            self.say("lost", word)
            raise
        self.say("acted", word)
        return {}

    def tell(self, spoken: set[str]) -> None:
        Path(f"speaks-{self.name}.new").write_text(json.dumps(sorted(spoken)))
        os.replace(f"speaks-{self.name}.new", f"speaks-{self.name}")

    async def look(self, ids: list[str]) -> None:
        while True:
            spoken = await self.engine.speaks_for(ids)
            self.tell(spoken)
            await asyncio.sleep(0.2)


async def main(name: str, max_runs: str, *jobs: str) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    peer = Peer(name, int(max_runs))
    await peer.engine.start()
    for job in map(json.loads, jobs):
        await peer.engine.enqueue("work", job["id"], job["thread"], job)
    looking = asyncio.create_task(peer.look(json.loads(os.environ.get("IDS", "[]"))))
    print("ready", flush=True)
    await told.wait()
    await peer.engine.drain(20)
    looking.cancel()
    print("drained", flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
