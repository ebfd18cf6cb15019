"""Payloads as GitHub sends them, with only a few of the fields we do not read."""

from typing import Any

Json = dict[str, Any]
ALICE: Json = {"id": 11, "login": "alice", "type": "User", "site_admin": False}
BOT: Json = {"id": 99, "login": "backspace[bot]", "type": "Bot"}


def issue(**changes: Any) -> Json:
    return {
        "id": 5001,
        "number": 12,
        "title": "Bad bodies crash the API",
        "body": "Every POST.",
        "state": "open",
        "locked": False,
        "html_url": "https://github.com/acme/api/issues/12",
        "updated_at": "2026-11-20T10:00:00Z",
        "user": {"id": 77, "login": "outsider", "type": "User"},
        **changes,
    }


def comment(body: str = "/backspace Validate all POST bodies", **changes: Any) -> Json:
    """`issue_comment.created` by alice."""
    return {
        "action": "created",
        "installation": {"id": 7, "node_id": "x"},
        "repository": {"id": 1234, "full_name": "acme/api", "private": True},
        "issue": issue(),
        "sender": ALICE,
        "comment": {
            "id": 900,
            "user": ALICE,
            "body": body,
            "html_url": "https://github.com/acme/api/issues/12#issuecomment-900",
            "created_at": "2026-11-20T10:05:00Z",
            "author_association": "MEMBER",
        },
        **changes,
    }


def labeled(name: str = "backspace", **changes: Any) -> Json:
    """`issues.labeled` by alice."""
    payload = comment(**{"action": "labeled", "label": {"id": 3, "name": name}, **changes})
    del payload["comment"]
    return payload
