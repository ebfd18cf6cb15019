"""What the gate left out is let in by somebody with write access who names exactly its content: the task's next run."""

import re
import subprocess
from typing import Any

import httpx
import pytest

from tests.e2e.lab import FIX, POISON, Lab, Repo, Server, until
from tests.web.desk import parsed

RULES = {"name": "write", "input": {"path": "AGENTS.md", "content": "Greet everybody.\n"}}
WORKFLOW = {"name": "write", "input": {"path": ".github/workflows/ci.yml", "content": "on: pull_request_target\n"}}


def approval(text: str) -> str:
    found = re.search("`/backspace approve ([0-9a-f]{32})`", text)
    assert found, text
    return found[1]


def said_on_pull(repo: Repo) -> list[str]:
    """The reactions to what was said on the one pull request."""
    (pull,) = repo.pulls()
    return [r["content"] for c in pull["comments"] for r in c["reactions"]]


def status(repo: Repo, issue: int) -> str:
    """The one status comment beside what else we said."""
    (found,) = [c["body"] for c in repo.ours(issue) if "[asked]" in c["body"]]
    return str(found)


def git(repo: Repo, *args: str, stdin: str = "") -> str:
    command = ["git", "--git-dir", str(repo.lab.home / "github" / f"{repo.id}.git"), *args]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout.strip()


def stream(url: str, last: str = "") -> tuple[list[str], list[dict[str, Any]]]:
    reply = httpx.get(url, headers={"Last-Event-ID": last} if last else {}, timeout=60)
    return parsed(reply.text)


def test_what_was_approved_and_nothing_else_comes_on_top_of_the_work(repo: Repo) -> None:
    repo.member("bob", "write")
    issue = repo.ask({"tools": [FIX, RULES, WORKFLOW]}, {"text": "Greet with a comma\n\nIt has one now."})
    before = repo.finished(issue)
    (pull,) = repo.pulls()
    head, first, named = pull["head"], repo.branches()[pull["head"]], approval(before)
    assert "+Greet everybody." in before
    assert approval(pull["body"]) == named
    assert repo.file("AGENTS.md", head) is None

    outsider = repo.comment(issue, f"/backspace approve {named}", user="mallory")
    repo.comment(issue, f"> /backspace approve {named}", user="bob")
    repo.comment(issue, f"/backspace approve {named[::-1]}", user="bob")
    until(lambda: any("is named so" in c["body"] for c in repo.ours(issue)), 20, "the answer to a wrong hash")
    until(lambda: repo.reactions(issue).count("confused") == 1, 20, "the answer to an outsider")
    assert outsider["id"]
    assert repo.branches()[head] == first

    repo.comment(pull["number"], f"/backspace approve {named}", user="bob")
    until(lambda: "rocket" in said_on_pull(repo), what="the next run")
    (pull,) = repo.pulls()
    assert (pull["head"], git(repo, "rev-parse", f"{head}^")) == (head, first)
    assert git(repo, "diff", "--name-only", first, head) == "AGENTS.md"
    assert repo.file("AGENTS.md", head) == "Greet everybody.\n"
    message = git(repo, "log", "-1", "--format=%B", head)
    assert "Co-authored-by: alice <" in message
    assert "Approved-by: bob <" in message
    assert "Let in by @bob: `AGENTS.md`" in pull["body"]
    after = status(repo, issue)
    assert "✅" in after
    assert "2 files, +2 −1 · checks passed on exactly what was published" in after
    assert "Let in: `AGENTS.md`, approved by `bob`" in after
    assert "ci.yml` was changed and not published" in after
    assert "approve " not in after + pull["body"]
    assert len(repo.asked()) == 2, "no model has a say in it"

    task = re.findall("<!-- backspace:(.*?) -->", after)[0]
    url = f"{repo.server.url}/code/{task}"
    ids, events = stream(url)
    over = [k for k, event in enumerate(events) if event["type"] == "Done"]
    assert len(over) == 2
    assert len(set(ids)) == len(ids)
    assert events[over[0] + 1] == {"type": "Approved", "by": "bob", "paths": ["AGENTS.md"]}
    assert stream(url, ids[over[0]]) == (ids[over[0] + 1 :], events[over[0] + 1 :])
    assert httpx.get(url, headers={"Last-Event-ID": ids[-1]}).status_code == 204

    repo.comment(issue, f"/backspace approve {named}", user="alice")
    until(lambda: any("let in already" in c["body"] for c in repo.ours(issue)), 20, "the answer to a second approval")
    assert git(repo, "rev-parse", f"{head}^") == first


@pytest.fixture
def mortal(lab: Lab) -> Any:
    server: Server = lab.server("approving")
    yield server
    server.stop()


def test_other_content_meanwhile_stops_it_and_a_kill_does_not(lab: Lab, mortal: Server) -> None:
    """An approval is of what people were shown: where a branch has gone on, it holds for as long as that file has not.

    RT-R01: what has come there gives no orders.
    """
    repo = lab.repository(mortal)
    issue = repo.ask({"tools": [FIX, RULES]}, {"text": "Greet with a comma"})
    say = f"/backspace approve {approval(repo.finished(issue))}"
    (pull,) = repo.pulls()
    repo.push(pull["head"], {"AGENTS.md": "Greet nobody.\n"})
    repo.comment(pull["number"], say)
    until(lambda: "confused" in said_on_pull(repo), what="the end of a run that lets nothing in")
    assert repo.file("AGENTS.md", pull["head"]) == "Greet nobody.\n"
    assert "AGENTS.md has changed since it was left out" in (failed := status(repo, issue))
    assert "the work so far is" in failed
    assert "1 file, +1 −1 · checks passed" in failed

    repo.push(pull["head"], {**POISON, "AGENTS.md": None})
    pushed = repo.branches()[pull["head"]]
    fault = repo.fault(f"/git/refs/heads/{pull['head']}$", method="PATCH", hold=True, after=True)
    lab.http.post(f"{repo.control}/issues/{issue}/comments", json={"user": "alice", "body": say})
    until(lambda: repo.hit(fault), what="the branch moved, and not recorded")
    mortal.kill()
    mortal.start()
    until(lambda: repo.reactions(issue).count("rocket") == 2, what="the end after the kill")
    assert git(repo, "rev-parse", f"{pull['head']}^") == pushed
    assert repo.file("AGENTS.md", pull["head"]) == "Greet everybody.\n"
    assert "Let in: `AGENTS.md`, approved by `alice`" in status(repo, issue)
    assert "`python3 -m unittest -q` | exit 0" in status(repo, issue)
    assert "poison" not in status(repo, issue)
    assert len(repo.pulls()) == 1
    assert sorted(repo.branches()) == sorted(["main", pull["head"]])
