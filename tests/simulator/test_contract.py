"""The check itself: it finds what strays from GitHub's description, and the process that the suites start tells it."""

import json

import pytest

from tests.github_contract import check_reply, check_request, check_webhook
from tests.simulator.conftest import GitHub

COMMENTS = "/repos/o/r/issues/1/comments"


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "words"),
    [
        ("GET", "/repos/o/r/nowhere", {}, None, "no such route"),
        ("PUT", COMMENTS, {}, None, "no such route"),
        ("GET", COMMENTS, {"pages": "2"}, None, "unknown query parameter pages"),
        ("GET", COMMENTS, {"page": "two"}, None, "not of type 'integer'"),
        ("GET", "/repos/o/r/pulls", {"state": "merged"}, None, "not one of"),
        ("POST", COMMENTS, {}, {"text": "x"}, "'body' is a required property"),
        ("POST", COMMENTS, {}, {"body": "x", "to": "y"}, "'to' was unexpected"),
        (
            "POST",
            "/app/installations/1/access_tokens",
            {},
            {"permissions": {"content": "read"}},
            "'content' was unexpected",
        ),
        ("POST", "/repos/o/r/git/trees", {}, {"tree": [{"path": "a", "mode": "100600"}]}, "'100600' is not one of"),
        ("GET", "/app", {}, {"x": 1}, "a body where none is described"),
    ],
)
def test_a_wrong_request_is_told(
    method: str, path: str, query: dict[str, str], body: dict[str, object] | None, words: str
) -> None:
    found = check_request(method, path, query, json.dumps(body).encode() if body else b"")
    assert any(words in line for line in found), found


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", COMMENTS, {"page": "2", "per_page": "100"}, None),
        ("PATCH", "/repositories/7/git/refs/heads/a/b", {}, {"sha": "0" * 40, "force": False}),
        ("GET", "/repos/o/r/branches/backspace/1-x", {}, None),
        ("POST", "/repos/o/r/git/trees", {}, {"tree": [{"path": "a", "mode": "100644", "sha": None}]}),
    ],
)
def test_a_right_request_is_not(method: str, path: str, query: dict[str, str], body: dict[str, object] | None) -> None:
    assert check_request(method, path, query, json.dumps(body).encode() if body else b"") == []


def test_a_wrong_reply_is_told() -> None:
    assert check_reply("GET", COMMENTS, 200, b"[{}]") != []
    assert check_reply("GET", COMMENTS, 202, b"[]") == ["status 202 is not documented"]
    assert check_reply("POST", COMMENTS, 201, b"<html>") == ["the body is not JSON"]
    assert check_reply("DELETE", "/repos/o/r/issues/comments/1", 204, b"{}") == ["a body where none is described"]
    assert check_reply("GET", COMMENTS, 200, b"[]") == []
    assert check_webhook("issue_comment", {"action": "created"}) != []


async def test_the_process_tells_violations(github: GitHub) -> None:
    await github.rest("GET", "/stargazers")
    assert [line.split(": ")[1] for line in await github.violations()] == ["no such route in the description"]
