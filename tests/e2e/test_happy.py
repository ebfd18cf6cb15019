"""A comment becomes a pull request."""

import json
from contextlib import AbstractContextManager

import httpx

from tests.e2e.lab import FIX, Lab, Repo, bash, until

PLAN = {"name": "plan", "input": {"steps": [{"text": "Add the comma", "done": False}]}}


def test_a_comment_becomes_a_pull_request(repo: Repo) -> None:
    issue = repo.ask(
        {"thinking": "Look first.", "tools": [PLAN, {"name": "read", "input": {"path": "greet.py"}}]},
        {"text": "Now the change.", "tools": [FIX, bash("python3 -m unittest -q")]},
        {"text": "Greet with a comma\n\nThe greeting now has a comma and an exclamation mark."},
    )
    comment = repo.finished(issue)

    (pull,) = repo.pulls()
    assert not pull["draft"]
    assert pull["base"] == "main"
    assert pull["title"] == "Greet with a comma"
    assert pull["head"] == f"backspace/{issue}-greet-politely"
    assert f"Fixes #{issue}" in pull["body"]
    assert "python3 -m unittest -q" in pull["body"]
    assert "exit 0" in pull["body"]
    assert repo.file("greet.py", pull["head"]) == 'def greet(name):\n    return f"Hello, {name}!"\n'
    assert f"#{pull['number']}" in comment
    assert "✅" in comment
    assert repo.branches()["main"] == repo.base
    assert sorted(set(repo.reactions(issue))) == ["eyes", "rocket"]


def test_the_commit_is_the_apps_and_names_the_asker(repo: Repo) -> None:
    """RT-O08"""
    issue = repo.ask({"tools": [FIX]}, {"text": "Greet with a comma"})
    repo.finished(issue)
    made = [r for r in repo.requests() if r["method"] == "POST" and r["path"].endswith("/git/commits")]
    assert len(made) == 1
    body = made[0]["body"]
    assert "author" not in body
    assert "Co-authored-by: alice <" in body["message"]


def test_what_was_checked_is_what_was_published(repo: Repo) -> None:
    """Named by the same tree SHA in the comment, and in the repository."""
    issue = repo.ask({"tools": [FIX]}, {"text": "Greet with a comma"})
    comment = repo.finished(issue)
    (made,) = [r for r in repo.requests() if r["method"] == "POST" and r["path"].endswith("/git/trees")]
    assert made["reply"]["sha"][:7] in comment


def test_the_label_starts_it_too(repo: Repo) -> None:
    repo.script({"tools": [FIX]}, {"text": "Greet with a comma"})
    issue = repo.issue()
    repo.label(issue, "alice")
    repo.finished(issue)
    assert len(repo.pulls()) == 1
    first = json.dumps(repo.asked()[0]["body"]["messages"][0])
    assert "Resolve this issue." in first


def test_everybody_is_answered_at_once_also_while_all_runs_are_taken(lab: Lab) -> None:
    server = lab.server("narrow", BACKSPACE_MAX_RUNS="1")
    try:
        first, second = lab.repository(server), lab.repository(server)
        busy = first.ask({"tools": [bash("true")], "hold": True}, {"text": "Nothing to do."})
        until(lambda: first.asked())
        issue = second.ask({"text": "Nothing to do."})
        until(lambda: second.ours(issue), 5, "the answer")
        until(lambda: second.reactions(issue) == ["eyes"], 5, "the reaction")
        assert "Waiting for a free slot" in second.status(issue)
        first.let_go()
        first.finished(busy)
        second.finished(issue)
    finally:
        server.stop()


def _answered(repo: Repo) -> tuple[int, int]:
    """An issue on which something was asked, and the comment that did, once its author knows that it was taken."""
    issue = repo.issue()
    comment = int(repo.comment(issue)["id"])
    until(lambda: repo.reactions(issue) == ["eyes"], what="the answer")
    return issue, comment


def _by_code(repo: Repo) -> AbstractContextManager[httpx.Response]:
    body = {"repo_url": f"{repo.lab.url}/{repo.full_name}", "prompt": "Look."}
    return httpx.stream("POST", f"{repo.server.url}/code", json=body, timeout=60)


def test_a_stop_takes_back_at_once_what_waits_for_a_slot(lab: Lab) -> None:
    """In the queue, asked for by `/code` or in a thread, or in the line before it; there its reaction fails until all is over."""
    server = lab.server("narrow", BACKSPACE_MAX_RUNS="1")
    try:
        busy, repo = lab.repository(server), lab.repository(server)
        busy.script({"text": "Nothing to do.", "hold": True})
        with _by_code(busy):
            until(busy.asked)
        with _by_code(repo) as reply:
            httpx.delete(f"{server.url}{reply.headers['Location']}").raise_for_status()
            assert '"outcome": "stopped"' in reply.read().decode()
        queued, _ = _answered(repo)
        held, comment = _answered(repo)
        assert "Waiting for a free slot" in repo.status(held)
        failing = repo.fault(rf"/issues/comments/(?!{comment}/)\d+/reactions$", hold=True, status=500)
        repo.comment(held, "/backspace stop")
        until(lambda: "🛑 Stopped" in repo.status(held), what="the end of what was held")
        until(lambda: repo.hit(failing))
        repo.release(failing)
        repo.comment(queued, "/backspace stop")
        until(lambda: "🛑 Stopped" in repo.status(queued), what="the end of what was in the queue")
        until(lambda: [sorted(repo.reactions(i)) for i in (queued, held)] == 2 * [["+1", "confused", "eyes"]])
        assert len(repo.ours(held)) == 1
        assert repo.asked() == []
        busy.let_go()
    finally:
        server.stop()


def test_one_comment_edited_never_posted_again(repo: Repo) -> None:
    issue = repo.ask({"tools": [FIX]}, {"text": "Greet with a comma"})
    repo.finished(issue)
    posted = [r for r in repo.requests() if r["method"] == "POST" and r["path"].endswith(f"/issues/{issue}/comments")]
    assert len(posted) == 1


def test_tokens_are_for_one_repository_and_one_stage_and_revoked(repo: Repo) -> None:
    """RT-L05, RT-S06: for a run that a comment started, the rows CHECK, COMMENT, CLONE and PUBLISH of the table in docs/security.md."""
    issue = repo.ask({"tools": [FIX]}, {"text": "Greet with a comma"})
    repo.finished(issue)
    tokens = repo.state()["tokens"]
    assert {tuple(t["repository_ids"]) for t in tokens} == {(repo.id,)}
    asked_for = [{k: v for k, v in t["permissions"].items() if k != "metadata"} for t in tokens]
    assert {json.dumps(p, sort_keys=True) for p in asked_for} == {
        "{}",
        '{"issues": "write"}',
        '{"contents": "read"}',
        '{"contents": "write", "pull_requests": "write"}',
    }
    assert [t["permissions"] for t in tokens if not t["revoked"]] == []


def test_the_sandbox_is_gone_when_the_run_is_over(repo: Repo) -> None:
    issue = repo.ask({"tools": [bash("pwd > /tmp/marker-of-this-run; sleep 0.1")]}, {"text": "Nothing to do."})
    repo.finished(issue)
    assert not [p for s in repo.server.sandboxes() for p in s.rglob("marker-of-this-run")]


def test_no_change_no_pull_request(repo: Repo) -> None:
    """FL-G15"""
    issue = repo.ask({"tools": [bash("ls")]}, {"text": "It is right as it is: the tests expect no comma."})
    comment = repo.finished(issue)
    assert repo.pulls() == []
    assert list(repo.branches()) == ["main"]
    assert "It is right as it is" in comment
