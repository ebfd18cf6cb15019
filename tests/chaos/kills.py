"""`kill -9` again and again, at chosen boundaries and moments in them, and what must be true of the world in the end."""

import json
import random
import secrets
import threading
import time

from tests.chaos.jobs import Job, ask_all, some
from tests.chaos.log import STAGES, Log, Moment, Run
from tests.chaos.tally import Problem, Tally
from tests.e2e.forked import ForkedServer
from tests.e2e.lab import Lab, until

KILLS = 40
"""Kills in one round, that is while five repositories' work is done; fewer where the work is over before."""
VAIN = 2
"""A step that ended its process three times is given up on purpose, so no step's process is killed more often than this."""
REACH = 6.0
"""Seconds to wait for a run in the stage that is wanted; then the process is killed wherever its runs are."""
WITHIN = 0.25
"""Seconds: a kill comes at a random moment up to so long after the boundary was seen."""
ENDS = 600.0
"""Seconds for all work of a round to end once nothing is killed any more."""
UNANSWERED = 3
"""In one round of so many the server stands still while all is asked for, and is killed then."""
HELD = (
    ("POST", r"/issues/\d+/comments$", ""),
    ("POST", r"/git/trees$", ""),
    ("POST", r"/git/commits$", "FL-K06"),
    ("POST", r"/git/refs$", "FL-K07"),
    ("POST", r"/pulls$", "FL-K08"),
    ("PATCH", r"/issues/comments/\d+$", ""),
    ("POST", r"/reactions$", ""),
)
"""Requests whose effect is made and whose reply never comes: the process is killed while it waits. With the boundary that this is."""


class Killing:
    """Rounds of work on one server and its database."""

    def __init__(self, lab: Lab, server: ForkedServer, log: Log, tally: Tally) -> None:
        self._lab = lab
        self._server = server
        self._log = log
        self._tally = tally
        self._random = random.Random(tally.seed)
        self._jobs: list[Job] = []
        self._held: dict[int, str] = {}
        """Faults that no request has met, and their boundaries."""
        self._executions: dict[str, str] = {}
        """By workflow: the one that was killed last. Until there is another, a kill would hit nothing."""

    def go(self, kills: int) -> None:
        """Until so many have hit unfinished runs."""
        began = time.monotonic()
        try:
            while self._tally.kills.total() < kills:
                self._round(kills)
                print(f"{self._tally.database}: {dict(self._tally.kills)}, {self._tally.problems}", flush=True)
            self._tally.over = True
        finally:
            self._tally.seconds = time.monotonic() - began

    def _round(self, kills: int) -> None:
        self._jobs = some(self._lab, self._server)
        self._tally.tasks += sum(job.tasks for job in self._jobs)
        self._hold()
        asking = self._ask()
        for _ in range(min(KILLS, kills - self._tally.kills.total())):
            if (boundary := self._reached()) is None:
                break
            self._kill(boundary)
        for fault in self._held:
            self._jobs[0].repo.release(fault)
        try:
            until(self._is_over, ENDS, "the end of all work")
        except AssertionError:
            self._tally.found("all", [Problem("wrong", f"work does not end: {self._log.now()}")])
        for thread in asking:
            thread.join(10)
        self._judge()

    def _hold(self) -> None:
        """In every repository one request, whose reply will never come."""
        self._held = {}
        for job in self._jobs:
            method, path, boundary = self._random.choice(HELD)
            self._held[job.repo.fault(path, method=method, hold=True, after=True)] = boundary

    def _ask(self) -> list[threading.Thread]:
        if self._random.randrange(UNANSWERED):
            return ask_all(self._jobs, self._log)
        self._server.stand_still()
        asking = ask_all(self._jobs, self._log)
        until(lambda: all(job.is_asked for job in self._jobs), what="requests on their way")
        self._tally.boundaries["FL-K02"] += 1
        self._server.kill()
        self._server.start()
        return asking

    def _kill(self, boundary: str) -> None:
        self._server.kill()
        moment = self._log.now()
        self._tally.hit(self._alive(moment), boundary)
        self._executions = {workflow: taken.execution for workflow, taken in moment.taken.items()}
        self._server.start()

    def _reached(self) -> str | None:
        """Waits until a reply is held, and gives its boundary, or a run is in one of the rarest stages: "". None where all work is over."""
        rare = sorted(STAGES, key=lambda stage: (self._tally.kills[stage], self._random.random()))
        wanted = set(rare[: self._random.choice((0, 2, 2, 2))])  # at times none: a held reply is waited for
        end, looked = float("inf"), 0.0
        while not self._is_over():
            moment, now = self._log.now(), time.monotonic()
            alive = self._alive(moment)
            may = bool(alive) and self._may_kill(moment)
            if now - looked > 0.1:
                looked = now
                for fault in [fault for fault in self._held if self._jobs[0].repo.hit(fault)]:
                    boundary = self._held.pop(fault)  # its client waits a few seconds only: now, or not at all
                    if may:
                        return boundary
            if may:
                end = min(end, now + REACH)
                if now > end or wanted & {run.stage for run in alive}:
                    time.sleep(self._random.uniform(0, WITHIN) * self._random.choice((0, 0, 1)))
                    return ""
            time.sleep(0.01)
        return None

    def _alive(self, moment: Moment) -> list[Run]:
        """Unfinished runs that a process works on, or will: those that only wait to be taken up again are not hit a second time."""
        return [run for run in moment.unfinished if not self._is_killed(moment, run.workflow)]

    def _is_killed(self, moment: Moment, workflow: str) -> bool:
        taken = moment.taken.get(workflow)
        return taken is not None and self._executions.get(workflow) == taken.execution

    def _may_kill(self, moment: Moment) -> bool:
        """What is not taken up again yet may be before the kill comes."""
        return all(
            taken.vain + self._is_killed(moment, workflow) < VAIN
            for workflow, taken in moment.taken.items()
            if not taken.waits
        )

    def _is_over(self) -> bool:
        moment = self._log.now()
        return not moment.unfinished and not moment.pending and all(job.is_over(self._log) for job in self._jobs)

    def _judge(self) -> None:
        for job in self._jobs:
            self._tally.found(f"{job.kind} {job.repo.full_name}", job.problems(self._log))
        try:
            until(lambda: not [s for s in self._server.sandboxes() if list(s.rglob("greet.py"))], 60)
        except AssertionError:
            self._tally.found("all", [Problem("wrong", f"sandboxes are left: {self._server.sandboxes()}")])
        if violations := self._lab.call("GET", "/_sim/violations"):
            self._tally.found("all", [Problem("wrong", f"outside of GitHub's description: {json.dumps(violations)}")])


def chaos(lab: Lab, tally: Tally, url: str, kills: int) -> None:
    """So many kills of a server of its own. `url` of its database; "" for a SQLite file in its folder."""
    server = lab.make(ForkedServer, tally.database, **({"BACKSPACE_DATABASE_URL": url} if url else {}))
    log = Log(url or f"sqlite:///{server.home}/backspace.db")
    try:
        server.start()
        Killing(lab, server, log, tally).go(kills)
    finally:
        log.close()
        server.stop()
        print(f"{tally.database}: the log of the server is {server.home}/server.log", flush=True)


def seed_of(given: int | None) -> int:
    return given if given is not None else secrets.randbelow(1_000_000)
