"""`python -m tests.bench.rows [sqlite|postgresql] [local|e2b] [RUNS]`: what runs cost the database, GitHub, E2B, the model and the server.

Three measurements of one server: at rest; that many runs, all at once, each with an edit, three commands, checks and a pull request;
and as many that wait for a command. E2B is its stand-in, GitHub and the model are the simulator. Divide by the runs for one of them.
"""

import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.bench.gauges import Gauge, Reading, of_postgres, of_sqlite
from tests.e2b_cloud.lab import E2B, e2b_cloud
from tests.e2e.lab import FIX, Lab, Repo, Server, bash, simulator, until
from tests.runs.postgres import started

REST = 30.0
"""Seconds of each measurement of what happens while nothing does."""
REPORTED = 3.0
"""Seconds after which PostgreSQL has counted what was done."""
WAITING = "sleep 590"


class Costs:
    """What is counted between two moments."""

    def __init__(self, server: Server, gauge: Gauge) -> None:
        assert server.process
        self._lab, self._pid, self._gauge = server.lab, server.process.pid, gauge

    def begin(self) -> None:
        self._requests = self._of_others()
        time.sleep(REPORTED)
        self._began, self._before = time.monotonic(), self._gauge(self._pid)

    def show(self, what: str, runs: int) -> None:
        seconds = time.monotonic() - self._began
        time.sleep(REPORTED)
        after, before = self._gauge(self._pid), self._before
        print(f"\n== {what}: {runs} runs, {seconds:.0f} s")
        print(
            f"server: {before.resident:.0f} MB, then {after.resident:.0f}; CPU {after.cpu - before.cpu:.2f} s; "
            f"commits {after.commits - before.commits}; {(after.wal - before.wal) / 1024:.0f} KiB written; "
            f"connections {after.connections}"
        )
        _show_rows(before, after)
        for request, times in sorted((self._of_others() - self._requests).items()):
            print(f"{times:6} {request}")

    def _of_others(self) -> Counter[str]:
        """Requests to GitHub, the model and E2B, by what they ask for."""
        asked = self._lab.http.get("/_sim/requests").json()
        found = Counter(f"GitHub {r['method']} {_kind(r['path'])}" for r in asked)
        found["model POST /v1/messages"] = len(self._lab.http.get("/anthropic/_requests").json())
        if self._lab.e2b:
            found += Counter(f"E2B {r['method']} {_kind(r['path'])}" for r in self._lab.e2b.requests())
        return found


def _kind(path: str) -> str:
    """A path without what differs from run to run."""
    path = path.removeprefix("/api/v3").partition("?")[0]
    path = re.sub(r"^(/repos)?/acme-[^/]+/[^/]+", r"\1/…", path)
    return re.sub(r"(?<=/)([0-9a-f]{40}|\d+|i[a-z0-9]{19,}|backspace/.*|alice)(?=/|$)", "…", path)


def _show_rows(before: Reading, after: Reading) -> None:
    for table in sorted(after.size):
        written = [after.rows[table, how] - before.rows[table, how] for how in ("in", "up", "del")]
        grown = after.size[table] - before.size[table]
        if any(written) or grown:
            print(f"{table:24} in {written[0]:6} up {written[1]:6} del {written[2]:6} grown {grown / 1024:8.0f} KiB")


def whole(repos: list[Repo]) -> None:
    commands = [{"tools": [bash(f"echo {n}; sleep 1")]} for n in range(3)]
    asked = [
        (repo, repo.ask({"text": "I add the comma.", "tools": [FIX]}, *commands, {"text": "Greet with a comma"}))
        for repo in repos
    ]
    for repo, issue in asked:
        comment = repo.finished(issue, 900)
        assert "✅" in comment, comment


def begin_waiting(repos: list[Repo]) -> list[int]:
    issues = [repo.ask({"tools": [bash(WAITING, seconds=600)]}) for repo in repos]
    until(lambda: all(map(_waits, repos, issues)), 300, "the waiting commands")
    time.sleep(20)  # whatever else follows upon a beginning
    return issues


def _waits(repo: Repo, issue: int) -> bool:
    return any(WAITING in comment["body"] for comment in repo.ours(issue))


def measure(server: Server, gauge: Gauge, runs: int) -> None:
    repos, others = ([server.lab.repository(server) for _ in range(runs)] for _ in range(2))
    costs = Costs(server, gauge)
    time.sleep(10)
    costs.begin()
    time.sleep(REST)
    costs.show("at rest", 0)
    costs.begin()
    whole(repos)
    costs.show("whole", runs)
    issues = begin_waiting(others)
    costs.begin()
    time.sleep(REST)
    costs.show("waiting", runs)
    for repo, issue in zip(others, issues, strict=True):
        repo.comment(issue, "/backspace stop")
    for repo, issue in zip(others, issues, strict=True):
        repo.finished(issue, 120)


def main(kind: str, hands: str, runs: int) -> None:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cloud: E2B | None = stack.enter_context(e2b_cloud(home / "e2b")) if hands == "e2b" else None
        lab = Lab(stack.enter_context(simulator(home)), home, cloud)
        stack.callback(lab.http.close)
        settings = {"BACKSPACE_MAX_RUNS": str(runs), "BACKSPACE_TASK_MINUTES": "60"}
        if kind == "postgresql":
            database = started(home / "postgres")
            stack.callback(database.cleanup)
            settings["BACKSPACE_DATABASE_URL"] = database.get_uri()
        server = lab.server(**settings)
        stack.callback(server.stop)
        gauge = of_postgres(database.get_uri()) if kind == "postgresql" else of_sqlite(server.home / "backspace.db")
        measure(server, gauge, runs)


if __name__ == "__main__":
    kind, hands, runs = [*sys.argv[1:], *("sqlite", "local", "10")[len(sys.argv) - 1 :]]
    main(kind, hands, int(runs))
