"""`python -m tests.chaos.many [RUNS]`: of servers on one PostgreSQL under so many runs one gets `kill -9`, one SIGSTOP, one SIGTERM.

Prints how long the runs of each waited for another server. Exits with 1 where that was too long, although every server has a slot for
every run, or where anything in the world is not as it must be in the end.
"""

import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.runs.engine import TO_END
from tests.chaos.__main__ import database
from tests.chaos.jobs import BREAK, MEND, Job, effect
from tests.chaos.log import Log
from tests.chaos.witness import Seen, Witness, held_by, named, strangers, went_on
from tests.e2e.lab import FIX, Json, Lab, Repo, Server, free_port, simulator, until

RUNS = 50
WITHIN = {"`kill -9`": 15.0, "SIGSTOP": 15.0, "SIGTERM": TO_END + 5}
"""Seconds in which a run must be another server's, where that has a slot for it: the reply of a model may be waited for before."""
SOON = 90.0
"""Seconds for what is waited for before the end; each takes a few on an idle machine."""
ENDS = 600.0
"""Seconds for all runs to end."""
SLOWEST = 20.0
"""Seconds that the model takes for a turn of the slowest runs. The quickest have it at once, so that there are runs in all stages."""
ALIAS = "localhost"
"""What the server that is stopped calls the simulator, which is 127.0.0.1 to the others: so its requests are told from theirs."""


@dataclass
class Loss:
    """A server that was lost."""

    how: str
    process: str
    at: float
    """Unix seconds."""
    stages: Counter[str]
    """Where its runs were."""
    unfinished: int
    """Runs of all servers."""


@dataclass
class Found:
    losses: list[Loss] = field(default_factory=list)
    seen: Sequence[Seen] = ()
    problems: list[str] = field(default_factory=list)
    late: Counter[str] = field(default_factory=Counter)
    """Writes that the continued server sent to GitHub although the run was another's, by repository."""
    seconds: float = 0.0


class Many:
    """Servers `a` and `b`, and `c`, which takes the place of `a`."""

    def __init__(self, lab: Lab, url: str, runs: int) -> None:
        self._lab, self._url = lab, url
        self._a = lab.server("a", BACKSPACE_MAX_RUNS=str(runs), BACKSPACE_DATABASE_URL=named(url, "a"))
        self._b = self._beside(self._a)
        self._c = replace(self._a, settings=self._a.settings | {"BACKSPACE_DATABASE_URL": named(url, "c")})
        self._log, self._witness = Log(url), Witness(url)
        self._jobs = jobs(lab, self._a, runs)
        self._found = Found()

    def _beside(self, first: Server) -> Server:
        home, port = first.home.with_name(f"{first.home.name}-b"), str(free_port())
        home.mkdir()
        api = f"{self._lab.url.replace('127.0.0.1', ALIAS)}/api/v3"
        own = {"PORT": port, "GITHUB_API_URL": api, "BACKSPACE_DATABASE_URL": named(self._url, "b")}
        return replace(first, home=home, url=f"http://127.0.0.1:{port}", settings=first.settings | own, process=None)

    def go(self) -> Found:
        began = time.monotonic()
        try:
            self._b.start()
            half = len(self._jobs) // 2
            self._ask_all(self._jobs[:half], {"publish"})
            self._ask_all(self._jobs[half:], {"prepare", "work"})
            self._lose("`kill -9`", "a", self._a, signal.SIGKILL)
            self._c.start()
            self._stop_and_continue()
            self._lose("SIGTERM", "c", self._c, signal.SIGTERM)
            until(self._is_over, ENDS, "the end of all runs")
            self._found.seen = self._witness.seen()
            self._found.problems += self._problems()
        finally:
            self._end()
        self._found.seconds = time.monotonic() - began
        return self._found

    def _ask_all(self, some: Sequence[Job], stages: set[str]) -> None:
        """Until `a` has runs in these stages."""
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(self._ask, some))
        until(lambda: self._stages("a").keys() >= stages, SOON, f"runs of a in {stages}")

    def _ask(self, job: Job) -> None:
        """Each by a person of its own: one may have twenty open."""
        if job.kind == "code":
            job.ask(self._log)
            return
        asker = f"asker-{job.repo.id}"
        job.repo.member(asker, "write")
        job.repo.script(*job.turns)
        job.issue = job.repo.issue()
        for _ in range(job.tasks):
            job.repo.comment(job.issue, user=asker)

    def _lose(self, how: str, name: str, server: Server, number: signal.Signals) -> None:
        """Send this signal, and wait until all runs that the server had are another's."""
        assert server.process
        stages, unfinished, at = self._stages(name), len(self._log.now().unfinished), time.time()
        server.process.send_signal(number)
        until(lambda: not self._has_still(name, at), SOON, f"another server for the runs of {name}")
        self._found.losses.append(Loss(how, name, at, stages, unfinished))

    def _stop_and_continue(self) -> None:
        """`b` stands still with a reply of a content write and an edit of a comment held, which then come too late."""
        held = [self._hold("POST", "/git/refs$"), self._hold("PATCH", r"/issues/comments/\d+$")]
        self._lose("SIGSTOP", "b", self._b, signal.SIGSTOP)
        assert self._b.process
        since = time.time()
        self._b.process.send_signal(signal.SIGCONT)
        for fault in held:
            self._lab.call("POST", f"/_sim/faults/{fault}/release")
        time.sleep(5)  # for what it would do now
        self._found.late.update(self._late_writes(since))

    def _hold(self, method: str, path: str) -> int:
        """The next such request of any run that `b` has."""
        mine = held_by(self._witness.seen(), "b", time.time())
        names = "|".join(sorted({repo.full_name for run, repo in self._repos().items() if run in mine}))
        made = self._lab.http.post(
            "/_sim/faults", json={"path": f"/repos/({names}){path}", "method": method, "hold": True}
        )
        fault = int(made.json()["id"])
        until(lambda: self._lab.call("GET", f"/_sim/faults/{fault}")["hits"], SOON, f"a {method} of b")
        return fault

    def _repos(self) -> dict[str, Repo]:
        """By run."""
        return {f"{task}.1": job.repo for job in self._jobs for task in self._log.tasks(job.repo.id)}

    def _stages(self, name: str) -> Counter[str]:
        mine = held_by(self._witness.seen(), name, time.time())
        return Counter(run.stage for run in self._log.now().unfinished if f"{run.key}.1" in mine)

    def _has_still(self, name: str, at: float) -> set[str]:
        seen = self._witness.seen()
        return held_by(seen, name, at) & held_by(seen, name, time.time())

    def _is_over(self) -> bool:
        moment = self._log.now()
        return moment.over == sum(job.tasks for job in self._jobs) and not moment.pending

    def _problems(self) -> Iterator[str]:
        for job in self._jobs:
            for problem in job.problems(self._log):
                yield f"{job.kind} {job.repo.full_name}: {problem}"
        for step in strangers(self._found.seen):
            yield f"recorded by a server that did not have the run: {step}"
        for where, times in self._found.late.items():
            if times > 1:  # one may have been on its way
                yield f"{times} writes for a run of another server in {where}"
        try:
            until(lambda: not self._a.sandboxes(), 30)
        except AssertionError:
            yield f"sandboxes are left: {self._a.sandboxes()}"
        if violations := self._lab.call("GET", "/_sim/violations"):
            yield f"outside of GitHub's description: {violations}"

    def _late_writes(self, since: float) -> Iterator[str]:
        """The repository of each write of `b` where it has no run and `c` has one."""
        seen, repos = self._witness.seen(), self._repos()
        for request in self._lab.http.get("/_sim/requests").json():
            if request["host"] == ALIAS and request["method"] != "GET" and request["at"] > since:
                here = {run: repo for run, repo in repos.items() if f"/repos/{repo.full_name}/" in request["path"]}
                if here.keys() & held_by(seen, "c", request["at"]) and not here.keys() & held_by(
                    seen, "b", request["at"]
                ):
                    yield next(iter(here.values())).full_name

    def _end(self) -> None:
        for server in (self._a, self._b, self._c):
            if server.process and server.process.poll() is None:
                server.kill()
        self._log.close()
        self._witness.close()


def jobs(lab: Lab, server: Server, runs: int) -> list[Job]:
    """Of each ten runs: six edit, two are in one thread, one mends what the checks find, one is asked for directly."""
    made: list[Job] = []
    while (asked := sum(job.tasks for job in made)) < runs:
        repo, kind = lab.repository(server), ("thread", "code", "mended", *["edits"] * 6)[len(made) % 9]
        pause: Json = {"delay": SLOWEST * (len(made) % 5) / 4}
        turns: list[Json] = [{"tools": [FIX, effect(1)]}, {"tools": [effect(2)]}, {"text": "Greet with a comma"}]
        if kind == "mended":
            turns = [{"tools": [BREAK, effect(1)]}, {"text": "So"}, {"tools": [effect(2), MEND]}, {"text": "Mended"}]
        tasks = 2 if kind == "thread" and asked + 2 <= runs else 1
        made.append(Job(kind, repo, tuple(turn | pause for turn in turns), tasks=tasks))
    return made


def table(found: Found) -> str:
    """Seconds."""
    lines = [
        "| lost by | its runs | had by another after: min | median | 95 % | max | next step recorded after: median | max |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for loss in found.losses:
        held, recorded = (sorted(went_on(found.seen, what, loss.process, loss.at)) for what in ("held", "recorded"))
        figures = [at(held, 0), at(held, 0.5), at(held, 0.95), at(held, 1), at(recorded, 0.5), at(recorded, 1)]
        lines.append(f"| {loss.how} | {len(held)} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |")
    return "\n".join(lines)


def slow(found: Found) -> Iterator[str]:
    for loss in found.losses:
        for seconds in went_on(found.seen, "held", loss.process, loss.at):
            if seconds > WITHIN[loss.how]:
                yield f"{loss.how}: a run waited for {seconds:.1f} s"


def at(ordered: list[float], share: float) -> float:
    """The least of these that is no less than such a share of them; not a number where there are none."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else float("nan")


def main(runs: int) -> None:
    home = Path(tempfile.mkdtemp(prefix="many-"))
    with database("postgresql", home) as url, simulator(home) as simulated:
        found = Many(Lab(simulated, home), url, runs).go()
    print(table(found))
    for loss in found.losses:
        print(f"{loss.how}: {loss.unfinished} runs were not over; those of this server were in {dict(loss.stages)}")
    print(
        f"{runs} runs in {found.seconds:.0f} s; writes of the continued server for runs of another: {found.late.total()}"
    )
    wrong = [*found.problems, *slow(found)]
    print(*wrong, f"All of it is in {home}.", sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else RUNS)
