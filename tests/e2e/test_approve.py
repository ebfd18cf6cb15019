"""What the gate left out is let in by somebody with write access who names exactly its content: the task's next run."""

import re

from tests.e2e.lab import FIX, Repo, until

RULES = {"name": "write", "input": {"path": "AGENTS.md", "content": "Greet everybody.\n"}}
WORKFLOW = {"name": "write", "input": {"path": ".github/workflows/ci.yml", "content": "on: pull_request_target\n"}}


def approval(text: str) -> str:
    found = re.search("`/backspace approve ([0-9a-f]{32})`", text)
    assert found, text
    return found[1]


def reactions(repo: Repo) -> list[str]:
    """To what was said on the pull request."""
    return [r["content"] for c in repo.pulls()[0]["comments"] for r in c["reactions"]]


def test_what_was_approved_and_nothing_else_comes_on_top_of_the_work(repo: Repo) -> None:
    repo.member("bob", "write")
    issue = repo.ask({"tools": [FIX, RULES, WORKFLOW]}, {"text": "Greet with a comma\n\nIt has one now."})
    before = repo.finished(issue)
    (pull,) = repo.pulls()
    first = repo.branches()[pull["head"]]
    assert repo.file("AGENTS.md", pull["head"]) is None
    assert "+Greet everybody." in before
    named = approval(before)
    assert approval(pull["body"]) == named

    repo.comment(issue, f"/backspace approve {named}", user="mallory")
    repo.comment(issue, f"> /backspace approve {named}", user="bob")
    repo.comment(issue, f"/backspace approve {'0' * 32}", user="bob")
    until(lambda: any("is named so" in c["body"] for c in repo.ours(issue)), 10, "the answer")
    assert repo.branches()[pull["head"]] == first

    repo.comment(pull["number"], f"/backspace approve {named}", user="bob")
    until(lambda: "rocket" in reactions(repo), what="the next run")
    after = next(c["body"] for c in repo.ours(issue) if "Greet" in c["body"])
    (pull,) = repo.pulls()
    assert repo.file("AGENTS.md", pull["head"]) == "Greet everybody.\n"
    assert repo.file(".github/workflows/ci.yml", pull["head"]) == "on: push\n"
    assert len(repo.asked()) == 2
