"""`kill -9` again and again, at chosen boundaries and moments in them, and what must be true of the world in the end."""

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.chaos.jobs import Job, ask_all, some
from tests.chaos.log import STAGES, Log, Moment
from tests.e2e.lab import Lab, Server, until

KILLS = 12
"""Kills in one round, that is while five repositories' work is done; fewer where the work is over before."""
VAIN = 1
"""A step that ended its process three times is given up on purpose, so no step is killed more often than twice."""
REACH = 6.0
"""Seconds to wait for a run in the stage that is wanted; then the process is killed wherever its runs are."""
WITHIN = 0.25
"""Seconds: a kill comes at a random moment up to so long after the boundary was seen."""
ENDS = 180.0
"""Seconds for all work of a round to end once nothing is killed any more."""
HELD = (
    ("POST", r"/issues/\d+/comments$"),
    ("POST", r"/git/trees$"),
    ("POST", r"/git/commits$"),
    ("POST", r"/git/refs$"),
    ("POST", r"/pulls$"),
    ("PATCH", r"/issues/comments/\d+$"),
    ("POST", r"/reactions$"),
)
"""Requests whose effect is made and whose reply never comes: the process is killed while it waits."""


@dataclass
class Tally:
    """Kills of one database's server. Each counts once, in the rarest of the stages that it hit."""

    database: str
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    """Unfinished runs that were hit, all of a kill."""
    lost: int = 0
    doubled: int = 0
    problems: list[str] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    tasks: int = 0
    seconds: float = 0.0

    def hit(self, moment: Moment) -> None:
        if stages := [run.stage for run in moment.unfinished]:
            self.kills[min(stages, key=lambda stage: self.kills[stage])] += 1
            self.runs.update(stages)

    def found(self, problem: str) -> None:
        self.problems.append(problem)
        self.lost += "lost: " in problem
        self.doubled += "doubled: " in problem


def table(tallies: list[Tally]) -> str:
    """Of all databases: kills by stage, in brackets the unfinished runs that they hit."""
    lines = [
        "| stage | " + " | ".join(f"{tally.database}: kills (runs hit)" for tally in tallies) + " |",
        "|---|" + "---:|" * len(tallies),
    ]
    for stage in STAGES:
        lines.append(f"| {stage} | " + " | ".join(f"{t.kills[stage]} ({t.runs[stage]})" for t in tallies) + " |")
    for name, of in _TOTALS.items():
        lines.append(f"| **{name}** | " + " | ".join(of(tally) for tally in tallies) + " |")
    return "\n".join(lines)


_TOTALS: dict[str, Callable[[Tally], str]] = {
    "all": lambda tally: f"{tally.kills.total()} ({tally.runs.total()})",
    "of them with a reply held": lambda tally: str(tally.held.total()),
    "tasks": lambda tally: str(tally.tasks),
    "lost": lambda tally: str(tally.lost),
    "doubled": lambda tally: str(tally.doubled),
    "seed": lambda tally: str(tally.seed),
    "minutes": lambda tally: f"{tally.seconds / 60:.1f}",
}


class Killing:
    """Rounds of work on one server and its database."""

    def __init__(self, lab: Lab, server: Server, log: Log, tally: Tally) -> None:
        self._lab = lab
        self._server = server
        self._log = log
        self._tally = tally
        self._random = random.Random(tally.seed)

    def go(self, kills: int) -> None:
        """Until so many have hit unfinished runs."""
        began = time.monotonic()
        while self._tally.kills.total() < kills:
            self._round(kills)
            self._tally.seconds = time.monotonic() - began
            print(f"{self._tally.database}: {dict(self._tally.kills)}, {self._tally.problems}", flush=True)

    def _round(self, kills: int) -> None:
        jobs = some(self._lab, self._server)
        self._tally.tasks += sum(job.tasks for job in jobs)
        held = self._hold(jobs)
        asking = ask_all(jobs, self._log)
        for _ in range(min(KILLS, kills - self._tally.kills.total())):
            if not self._reached(held):
                break
            self._server.kill()
            self._tally.hit(self._log.now())
            self._server.start()
        for fault in held:
            jobs[0].repo.release(fault)
        try:
            until(self._is_over, ENDS, "the end of all work")
        except AssertionError:
            self._tally.found(f"lost: work that does not end: {self._log.now()}")
        for thread in asking:
            thread.join(10)
        for problem in self._problems(jobs):
            self._tally.found(problem)

    def _hold(self, jobs: list[Job]) -> dict[int, str]:
        """In every repository one request, whose reply will never come."""
        held: dict[int, str] = {}
        for job in jobs:
            method, path = self._random.choice(HELD)
            held[job.repo.fault(path, method=method, hold=True, after=True)] = f"{method} {path}"
        return held

    def _reached(self, held: dict[int, str]) -> bool:
        """The moment to kill: a reply is held, or a run is in one of the rarest stages. False where all work is over."""
        rare = sorted(STAGES, key=lambda stage: (self._tally.kills[stage], self._random.random()))
        wanted = set(rare[: self._random.choice((0, 2, 2, 2))])  # at times none: a held reply is waited for
        end, looked = time.monotonic() + REACH, 0.0
        while not self._is_over():
            moment, late = self._log.now(), time.monotonic() > end
            if time.monotonic() - looked > 0.1 and moment.vain <= VAIN:
                looked = time.monotonic()
                for fault in [fault for fault in held if self._lab.call("GET", f"/_sim/faults/{fault}")["hits"]]:
                    self._tally.held[held.pop(fault)] += 1
                    return True
            if moment.vain <= VAIN and (late or wanted & {run.stage for run in moment.unfinished}):
                time.sleep(self._random.uniform(0, WITHIN) * self._random.choice((0, 0, 1)))
                return True
            time.sleep(0.01)
        return False

    def _is_over(self) -> bool:
        moment = self._log.now()
        return moment.over == self._tally.tasks and not moment.pending

    def _problems(self, jobs: list[Job]) -> Iterator[str]:
        for job in jobs:
            for problem in job.problems(self._log):
                yield f"{job.kind} {job.repo.full_name}: {problem}"
        try:
            until(lambda: not [s for s in self._server.sandboxes() if list(s.rglob("greet.py"))], 30)
        except AssertionError:
            yield f"sandboxes are left: {self._server.sandboxes()}"
        if violations := self._lab.call("GET", "/_sim/violations"):
            yield f"outside of GitHub's description: {violations}"


def chaos(lab: Lab, database: str, url: str, kills: int, seed: int) -> Tally:
    """So many kills of a server of its own. `url` of its database; "" for a SQLite file in its folder."""
    tally = Tally(database, seed)
    server = lab.server(database, **({"BACKSPACE_DATABASE_URL": url} if url else {}))
    log = Log(url or f"sqlite:///{server.home}/backspace.db")
    try:
        Killing(lab, server, log, tally).go(kills)
    finally:
        log.close()
        server.stop()
        print(f"{database}: the log of the server is {server.home}/server.log", flush=True)
    return tally


def seed_of(given: int | None) -> int:
    return given if given is not None else secrets.randbelow(1_000_000)
