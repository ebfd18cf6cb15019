"""Who gets in: signatures, repeated deliveries, people without write access, words that are no command."""

import hashlib
import hmac
import json
import time

import httpx
import pytest

from tests.e2e.lab import FIX, Repo, until

BODY = json.dumps({"action": "created"}).encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"X-Nothing", b""),
        (b"X-Hub-Signature-256", b"sha256=" + b"0" * 64),
        (b"X-Hub-Signature-256", b"sha256=\xe9\xff"),
        (b"X-Hub-Signature", b"the right SHA-1"),
        (b"X-Hub-Signature-256", b"the right SHA-1"),
    ],
    ids=["missing", "forged", "non-ascii", "sha1 header", "sha1 in the sha256 header"],
)
def test_what_is_not_signed_is_refused(repo: Repo, name: bytes, value: bytes) -> None:
    """RT-W01, RT-W03, RT-W04"""
    sha1 = hmac.new(repo.server.secret.encode(), BODY, hashlib.sha1).hexdigest()
    signature = (name, value.replace(b"the right SHA-1", f"sha1={sha1}".encode()))
    headers = [
        (b"X-GitHub-Event", b"issue_comment"),
        (b"X-GitHub-Delivery", b"d"),
        (b"Content-Type", b"application/json"),
        signature,
    ]
    reply = httpx.post(f"{repo.server.url}/webhook", content=BODY, headers=headers)
    assert reply.status_code == 401


def test_the_same_delivery_fifty_times_at_once_is_one_run(repo: Repo) -> None:
    """RT-W07, FL-G23"""
    repo.script({"tools": [FIX]}, {"text": "Greet with a comma"})
    issue = repo.issue()
    delivery = repo.comment(issue)["delivery"]
    answered = repo.lab.call("POST", f"/_sim/deliveries/{delivery['guid']}/redeliver", times=50)
    assert {attempt["status"] for attempt in answered["attempts"]} == {202}
    repo.finished(issue)
    assert len(repo.pulls()) == 1
    assert len(repo.ours(issue)) == 1
    assert len(repo.asked()) == 2


def test_the_same_comment_in_a_new_delivery_is_the_same_task(repo: Repo) -> None:
    """FL-G23"""
    repo.script({"tools": [FIX]}, {"text": "Greet with a comma"})
    issue = repo.issue()
    delivery = repo.comment(issue)["delivery"]
    repo.finished(issue)
    repo.lab.call("POST", f"/_sim/deliveries/{delivery['guid']}/redeliver", new_guid=True)
    time.sleep(1)
    assert len(repo.pulls()) == 1
    assert len(repo.ours(issue)) == 1
    assert len(repo.asked()) == 2


def _nothing_happened(repo: Repo, issue: int) -> None:
    time.sleep(1)
    assert repo.ours(issue) == []
    assert repo.asked() == []
    assert repo.pulls() == []


@pytest.mark.parametrize("role", ["read", "triage", None])
def test_without_write_access_nothing_starts(repo: Repo, role: str | None) -> None:
    """RT-T01, RT-T02: whatever the association says, which is COLLABORATOR for the first two."""
    issue = repo.issue()
    if role:
        repo.member("mallory", role)
    delivery = repo.comment(issue, user="mallory")["delivery"]
    assert delivery["status"] == 202
    if role == "triage":
        until(lambda: repo.ours(issue))
        assert "write access" in repo.ours(issue)[0]["body"]
    else:
        until(lambda: "confused" in repo.reactions(issue))
        assert repo.ours(issue) == []
    time.sleep(0.5)
    assert repo.asked() == []


def test_a_bot_starts_nothing(repo: Repo) -> None:
    """RT-T03"""
    issue = repo.issue()
    repo.user("evil[bot]", "Bot")
    repo.lab.call("PUT", f"{repo.control}/collaborators/evil[bot]", role="write")
    assert repo.comment(issue, user="evil[bot]")["delivery"]["status"] == 204
    _nothing_happened(repo, issue)


@pytest.mark.parametrize(
    "body", ["> /backspace do it", "please /backspace do it", "```\n/backspace do it\n```", "<!-- /backspace x -->"]
)
def test_words_that_only_look_like_a_command_start_nothing(repo: Repo, body: str) -> None:
    """RT-T07"""
    issue = repo.issue()
    assert repo.comment(issue, body)["delivery"]["status"] == 204
    _nothing_happened(repo, issue)


def test_an_edited_comment_starts_nothing(repo: Repo) -> None:
    issue = repo.issue()
    comment = repo.comment(issue, "hello")
    edited = repo.lab.call(
        "PATCH", f"{repo.control}/issues/comments/{comment['id']}", user="alice", body="/backspace do it"
    )
    assert edited["delivery"]["status"] == 204
    _nothing_happened(repo, issue)


def test_a_label_set_by_a_triage_user_starts_nothing(repo: Repo) -> None:
    """RT-T10"""
    issue = repo.issue()
    repo.member("tina", "triage")
    repo.label(issue, "tina")
    until(lambda: repo.ours(issue))
    assert "tina" in repo.ours(issue)[0]["body"]
    time.sleep(0.5)
    assert repo.asked() == []


def test_help_is_answered_in_one_comment(repo: Repo) -> None:
    issue = repo.issue()
    repo.comment(issue, "/backspace help")
    until(lambda: repo.ours(issue))
    assert "/backspace stop" in repo.ours(issue)[0]["body"]
