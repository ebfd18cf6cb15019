"""What is asked for where logs are recorded: each kind of workflow, and each way that one goes on, at least once."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from tests.e2b_cloud.lab import e2b_cloud
from tests.e2e.lab import FIX, Lab, Repo, Server, bash, hands_in, until

BREAK = {"name": "edit", "input": {"path": "greet.py", "old_str": '"Hello " + name', "new_str": '"Hello"'}}
MEND = {"name": "edit", "input": {"path": "greet.py", "old_str": '"Hello"', "new_str": 'f"Hello, {name}!"'}}
END = {"text": "Greet with a comma"}
Scene = Callable[[Repo], object]


def ready(repo: Repo) -> None:
    repo.finished(repo.ask({"text": "Look first.", "tools": [bash("ls")]}, {"tools": [FIX]}, END))


def mended(repo: Repo) -> None:
    repo.finished(repo.ask({"tools": [BREAK]}, END, {"tools": [MEND]}, END))


def red(repo: Repo) -> None:
    repo.finished(repo.ask({"tools": [BREAK]}, END, END, END, END))


def stopped(repo: Repo) -> None:
    issue = repo.ask({"tools": [FIX]}, {"tools": [bash("sleep 500", seconds=600)]})
    until(lambda: len(repo.asked()) == 2)
    repo.comment(issue, "/backspace stop")
    repo.finished(issue)


def stopped_at_the_model(repo: Repo) -> None:
    issue = repo.ask({"tools": [FIX]}, {**END, "hold": True})
    until(lambda: len(repo.asked()) == 2)
    repo.comment(issue, "/backspace stop")
    repo.finished(issue)


def limit(repo: Repo) -> None:
    cut = {"text": "And so on", "stop_reason": "max_tokens"}
    repo.finished(repo.ask({"tools": [FIX]}, cut, cut, cut))


def nothing(repo: Repo) -> None:
    repo.finished(repo.ask({"tools": [bash("ls")]}, {"text": "It is right as it is."}))


def failed(repo: Repo) -> None:
    repo.script({"tools": [FIX]}, {**END, "hold": True})
    issue = repo.issue()
    repo.comment(issue)
    until(lambda: len(repo.asked()) == 2)
    repo.member("alice", "read")
    repo.let_go()
    repo.finished(issue)


def waits(repo: Repo) -> None:
    """GitHub is down for longer than would go unnoticed."""
    repo.fault("/git/", status=503, times=15)
    repo.finished(repo.ask({"tools": [FIX]}, END), 90)


def label(repo: Repo) -> None:
    repo.script({"tools": [FIX]}, END)
    issue = repo.issue()
    repo.label(issue, "alice")
    repo.finished(issue)


def code(repo: Repo) -> None:
    repo.script({"tools": [FIX]}, END)
    body = {"repo_url": f"{repo.lab.url}/{repo.full_name}", "prompt": "Add the comma."}
    httpx.post(f"{repo.server.url}/code", json=body, timeout=60).raise_for_status()


def refused(repo: Repo) -> None:
    issue = repo.issue()
    repo.comment(issue, user="mallory")
    until(lambda: repo.reactions(issue))


def unknown(repo: Repo) -> None:
    """GitHub does not say who may write."""
    repo.fault("/collaborators/alice/permission$", status=403, times=9)
    issue = repo.issue()
    repo.comment(issue)
    until(lambda: repo.ours(issue))


def controls(repo: Repo) -> None:
    issue = repo.issue()
    repo.comment(issue, "/backspace help")
    repo.comment(issue, "/backspace stop")
    until(lambda: len(repo.ours(issue)) == 2)


def full(repo: Repo) -> None:
    """One runs, one waits, and the third is turned away."""
    issue = repo.ask({**END, "hold": True})
    until(repo.asked)
    repo.comment(issue)
    repo.comment(issue)
    until(lambda: "confused" in repo.reactions(issue))
    repo.let_go()
    until(lambda: "".join(c["body"] for c in repo.ours(issue)).count("Nothing to change") == 2)


def missed(repo: Repo) -> None:
    """What was said while the server was down, and is not there any more."""
    issue = repo.issue()
    repo.server.kill()
    comment = repo.lab.http.post(
        f"{repo.control}/issues/{issue}/comments", json={"user": "alice", "body": "/backspace go"}
    ).json()
    repo.lab.call("DELETE", f"{repo.control}/issues/comments/{comment['id']}", user="alice")
    repo.server.start()
    until(lambda: repo.ours(issue))


def approved(repo: Repo) -> None:
    """What the gate left out is let in; before that an outsider says so, and somebody says it of nothing."""
    rules = {"name": "write", "input": {"path": "AGENTS.md", "content": "Greet everybody.\n"}}
    issue = repo.ask({"tools": [FIX, rules]}, END)
    found = re.search("/backspace approve [0-9a-f]{32}", repo.finished(issue))
    assert found
    repo.comment(issue, found[0], user="mallory")
    repo.comment(issue, "/backspace approve")
    until(lambda: len(repo.ours(issue)) == 2)
    repo.comment(issue, found[0])
    until(lambda: repo.reactions(issue).count("rocket") == 2, what="the next run")


def salvaged(repo: Repo) -> None:
    """A step was recorded under a name that this version does not know."""
    repo.script({"tools": [FIX]}, {**END, "hold": True})
    issue = repo.issue()
    repo.comment(issue)
    until(lambda: len(repo.asked()) == 2)
    repo.server.kill()
    with closing(sqlite3.connect(repo.server.home / "backspace.db")) as database, database:
        named = "UPDATE operation_outputs SET function_name = 'made ready' WHERE function_name = 'prepare' AND workflow_uuid LIKE ?"
        database.execute(named, (f"c-{repo.id}-%",))
    repo.server.start()
    repo.finished(issue)


SCENES: tuple[Scene, ...] = (
    ready, mended, red, stopped, stopped_at_the_model, limit, nothing, failed, waits, label, code, refused, unknown, controls, full, missed,
    approved, salvaged,
)  # fmt: skip


@contextmanager
def lost(lab: Lab, home: Path) -> Iterator[Repo]:
    """A run that loses its sandbox, which takes one that can be lost."""
    with e2b_cloud(home) as cloud:
        server = lab.server("lost", **hands_in(cloud))
        repo = lab.repository(server)
        issue = repo.ask({"tools": [FIX]}, {"tools": [bash("touch ~/began; sleep 500", seconds=600)]}, END)
        (sandbox,) = until(
            lambda: [s for s in cloud.sandboxes() if Path(s["disk"], "home/user/began").exists()], what="the command"
        )
        cloud.order("vanish", sandbox["id"])
        repo.finished(issue)
        yield repo
        server.stop()


def over(server: Server) -> None:
    """Returns when no workflow of this server is unfinished."""

    def unfinished() -> int:
        with closing(sqlite3.connect(server.home / "backspace.db")) as database:
            query = "SELECT count(*) FROM workflow_status WHERE status IN ('PENDING', 'ENQUEUED')"
            return int(database.execute(query).fetchone()[0])

    until(lambda: not unfinished(), what="the end of all workflows")
