"""The status comment over a long run, after somebody deleted it, and that no secret gets anywhere while all is logged."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from tests.e2e.lab import FIX, Lab, Repo, Server, bash, until

MARK = "marigold-in-every-place"


@dataclass(frozen=True)
class Runs:
    """Two runs that went on side by side in a server that logs all it can."""

    server: Server
    long: Repo
    deleted: Repo
    issue: int = 1


@pytest.fixture(scope="module")
def runs(lab: Lab) -> Iterator[Runs]:
    server = lab.server("talkative", LOG_LEVEL="DEBUG")
    leak = {
        "leak.txt": f"{server.settings['ANTHROPIC_API_KEY']} {server.secret}\n{server.settings['GITHUB_PRIVATE_KEY']}"
    }
    try:
        long = lab.repository(server, {"greet.py": 'def greet(name):\n    return "Hello " + name\n', **leak})
        runs = Runs(server, long, lab.repository(server))
        _go(runs)
        yield runs
    finally:
        server.stop()


def _go(runs: Runs) -> None:
    long, deleted = runs.long, runs.deleted
    long.ask(
        {"text": f"I look: {MARK}", "tools": [bash("cat leak.txt")]},
        {"tools": [FIX, bash(f"sleep 24; echo {MARK}")]},
        {"text": "Greet with a comma"},
        body=f"/backspace add the comma {MARK}",
    )
    deleted.ask({"tools": [FIX, bash("sleep 3")]}, {"text": "Greet with a comma"})
    until(lambda: len(deleted.asked()) == 1)
    (comment,) = deleted.ours(runs.issue)
    deleted.lab.call("DELETE", f"{deleted.control}/issues/comments/{comment['id']}", user="alice")
    deleted.finished(runs.issue)
    long.finished(runs.issue)


def bodies(runs: Runs) -> list[dict[str, Any]]:
    (comment,) = runs.long.ours(runs.issue)
    return list(comment["bodies"])


def test_edits_keep_ten_seconds_between_them(runs: Runs) -> None:
    """RT-D05"""
    posted, *between, _ = bodies(runs)
    at = [body["at"] for body in between]
    assert 2 <= len(between) <= 4
    assert all(later - earlier >= 10 for earlier, later in pairwise(at))
    assert posted["at"] < at[0]


def test_what_it_says_in_between_is_what_goes_on(runs: Runs) -> None:
    posted, *between, last = [body["body"] for body in bodies(runs)]
    assert "Starting" in posted
    assert all("Working" in body for body in between), "the first edit says something new"
    assert any(f"`sleep 24; echo {MARK}` · running for " in body for body in between)
    assert "running for" not in last
    assert "Working" not in last


def test_the_last_state_lands_at_once(runs: Runs) -> None:
    opened = next(r["at"] for r in runs.long.requests() if r["method"] == "POST" and r["path"].endswith("/pulls"))
    assert bodies(runs)[-1]["at"] - opened < 5


def test_a_deleted_status_comment_is_made_once_more_at_the_end(runs: Runs) -> None:
    """FL-G13"""
    comment = runs.deleted.status(runs.issue)
    assert "✅" in comment
    posted = [r for r in runs.deleted.requests() if r["method"] == "POST" and r["path"].endswith("/issues/1/comments")]
    assert len(posted) == 2


def places(runs: Runs, words: str) -> set[str]:
    """Where these words can be read."""
    database = b"".join(file.read_bytes() for file in runs.server.home.glob("backspace.db*"))
    comments = [
        body["body"]
        for repo in (runs.long, runs.deleted)
        for found in (*repo.state()["issues"], *repo.pulls())
        for comment in found["comments"]
        for body in comment["bodies"]
    ]
    read = {
        "log": runs.server.log,
        "database": database.decode(errors="replace"),
        "comments": "\n".join(comments),
        "pull request": "".join(str(pull["body"]) for pull in runs.long.pulls()),
        "model": str(runs.long.asked()),
    }
    return {place for place, text in read.items() if words in text}


def test_no_secret_is_anywhere(runs: Runs) -> None:
    """RT-O02, RT-L03. The agent was shown three of them in a file."""
    settings = runs.server.settings
    tokens = [t["value"] for repo in (runs.long, runs.deleted) for t in repo.state()["tokens"]]
    assert len(tokens) >= 6
    key_lines = settings["GITHUB_PRIVATE_KEY"].splitlines()[1:-1]
    for secret in (settings["ANTHROPIC_API_KEY"], runs.server.secret, *tokens, *key_lines):
        assert places(runs, secret) == set()


def test_words_that_are_no_secret_are_found_by_the_same_search(runs: Runs) -> None:
    assert places(runs, MARK) == {"database", "comments", "pull request", "model"}
    assert places(runs, f"c-{runs.long.id}-") >= {"log", "database", "comments"}
    assert "[redacted]" in str(runs.long.asked())


def test_the_log_names_the_task_and_the_delivery(runs: Runs) -> None:
    """Each line is JSON, at DEBUG too."""
    lines = [json.loads(line) for line in runs.server.log.splitlines()]
    (delivery,) = [d["guid"] for d in runs.long.state()["deliveries"] if d["attempts"][0]["status"] == 202]
    (line,) = [line for line in lines if line.get("delivery") == delivery and line["logger"] == "app.web.access"]
    assert line["task"].startswith(f"c-{runs.long.id}-")
