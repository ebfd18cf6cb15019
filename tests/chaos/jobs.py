"""Work that is asked for while servers are killed, and what must have come of it."""

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import sqlalchemy as sa

from tests.chaos.log import Log
from tests.chaos.tally import Problem
from tests.e2e.lab import FIX, Json, Lab, Repo, Server, bash

ALLOWED: tuple[Json, ...] = (
    {"metadata": "read"},
    {"issues": "write", "metadata": "read"},
    {"contents": "read", "metadata": "read"},
    {"contents": "read", "pull_requests": "read", "metadata": "read"},
    {"contents": "write", "pull_requests": "write", "metadata": "read"},
)
"""Permissions of tokens: those of one stage."""
FINAL = {"ready": "✅", "stopped": "🛑 Stopped"}
"""What stands in a status comment that says the end."""
BREAK = {
    "name": "edit",
    "input": {"path": "greet.py", "old_str": '"Hello " + name', "new_str": '"Hello"'},
}
MEND = {"name": "edit", "input": {"path": "greet.py", "old_str": '"Hello"', "new_str": 'f"Hello, {name}!"'}}


def effect(number: int, seconds: float = 0.3) -> Json:
    """A command that shows how often it was run."""
    return bash(f"echo {number} >> effects; sleep {seconds:g}")


END: Json = {"text": "Greet with a comma", "delay": 0.2}
EDITS: tuple[Json, ...] = ({"tools": [FIX, effect(1)], "delay": 0.2}, {"tools": [effect(2)]}, END)
MENDED: tuple[Json, ...] = (
    {"tools": [BREAK, effect(1)]},
    {"text": "That should do", "delay": 0.2},
    {"tools": [effect(2), MEND]},
    END,
)
STOPPED: tuple[Json, ...] = ({"tools": [FIX, effect(1)], "delay": 0.2}, {"tools": [bash("sleep 600")]}, END)


@dataclass
class Job:
    """`tasks` requests in a repository of its own, all with the same end."""

    kind: str
    repo: Repo
    turns: tuple[Json, ...]
    outcome: str = "ready"
    effects: str = "1\n2\n"
    tasks: int = 1
    issue: int | None = None
    is_asked: bool = False
    """Its first request is on its way."""

    def ask(self, log: Log) -> None:
        """To be called in a thread: the server is killed while it answers."""
        self.repo.script(*self.turns)
        if self.kind == "code":
            self._ask_directly()
            return
        self.issue = self.repo.issue()
        for _ in range(self.tasks):
            self._comment("/backspace add the comma")
        if self.kind == "stopped":
            while not any(len(log.turns(task)) == 2 for task in log.tasks(self.repo.id)):
                time.sleep(0.1)
            self._comment("/backspace stop")

    def _comment(self, body: str) -> None:
        """A delivery that fails is GitHub's to tell, and the server's to find."""
        path = f"{self.repo.control}/issues/{self.issue}/comments"
        self.is_asked = True
        with httpx.Client(base_url=self.repo.lab.url, timeout=60) as http:
            http.post(path, json={"user": "alice", "body": body}).raise_for_status()

    def _ask_directly(self) -> None:
        """As a client does that asks again until it has an answer."""
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        body = {"repo_url": f"{self.repo.lab.url}/{self.repo.full_name}", "prompt": "Add the comma."}
        url = f"{self.repo.server.url}/code"
        self.is_asked = True
        while True:
            with (
                contextlib.suppress(httpx.TransportError),
                httpx.stream("POST", url, json=body, headers=headers, timeout=20) as reply,
            ):
                if "Location" in reply.headers:
                    return
            time.sleep(0.2)

    def is_over(self, log: Log) -> bool:
        tasks = log.tasks(self.repo.id)
        return len(tasks) == self.tasks and None not in tasks.values()

    def problems(self, log: Log) -> list[Problem]:
        """What is not as it must be, once all is over."""
        tasks = log.tasks(self.repo.id)
        ended = sum(outcome == self.outcome for outcome in tasks.values())
        return [
            *_amount(f"task with the outcome {self.outcome} among {tasks}", ended, self.tasks),
            *self._of_thread(),
            *self._of_branches(),
            *self._of_model([turns for task in tasks if (turns := log.turns(task))]),
        ]

    def _of_thread(self) -> Iterator[Problem]:
        if self.issue is not None:
            bodies = [comment["body"] for comment in self.repo.ours(self.issue)]
            yield from _amount("status comment", len(bodies), self.tasks)
            ended = sum(FINAL[self.outcome] in body for body in bodies)
            yield from _amount(f"{FINAL[self.outcome]} in a status comment", min(ended, self.tasks), self.tasks)

    def _of_branches(self) -> Iterator[Problem]:
        state = self.repo.state()
        heads = [pull["head"] for pull in state["pulls"]]
        yield from _amount("pull request", len(heads), self.tasks)
        yield from _amount("branch", len(state["branches"]) - 1, self.tasks)
        if sorted(state["branches"]) != sorted({"main", *heads}):
            yield Problem("wrong", f"branches {sorted(state['branches'])} for the pull requests of {heads}")
        for head in heads:
            found = (self.repo.file("effects", head) or "").splitlines()
            for effect in self.effects.splitlines():
                yield from _amount(f"effect of call {effect} on {head}", found.count(effect), 1)
        for token in state["tokens"]:
            if token["repository_ids"] != [self.repo.id] or token["permissions"] not in ALLOWED:
                yield Problem("wrong", f"a wide token: {token['permissions']} for {token['repository_ids']}")

    def _of_model(self, tasks: list[list[Json]]) -> Iterator[Problem]:
        """What a task has on its account behind its last turn, and what was sent."""
        counted, sent = sum(turns[-1]["spent"]["requests"] for turns in tasks), len(self.repo.asked())
        if counted < sent:
            yield Problem("wrong", f"{counted} requests to the model were counted, {sent} reached it")


def _amount(what: str, found: int, wanted: int) -> Iterator[Problem]:
    if found != wanted:
        yield Problem(
            "doubled" if found > wanted else "lost", f"{found} times {what}, not {wanted}", abs(found - wanted)
        )


def some(lab: Lab, server: Server) -> list[Job]:
    """One of each kind, side by side."""
    edits, mended, stopped, code, thread = (lab.repository(server) for _ in range(5))
    return [
        Job("edits", edits, EDITS),
        Job("mended", mended, MENDED),
        Job("stopped", stopped, STOPPED, "stopped", "1\n"),
        Job("code", code, EDITS),
        Job("thread", thread, EDITS, tasks=2),
    ]


def ask_all(jobs: list[Job], log: Log) -> list[threading.Thread]:
    asking = [threading.Thread(target=_ask, args=(job, log), daemon=True) for job in jobs]
    for thread in asking:
        thread.start()
    return asking


def _ask(job: Job, log: Log) -> None:
    """Where all is cut short, what there was to ask goes away; what was never asked for counts as lost."""
    with contextlib.suppress(httpx.TransportError, sa.exc.SQLAlchemyError):
        job.ask(log)
