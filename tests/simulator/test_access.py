"""Who may do what: App JWTs, narrowed tokens, their end, and repositories out of reach."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.simulator.conftest import GitHub


async def test_the_app_and_its_bot_know_themselves(github: GitHub) -> None:
    app = await github.call("GET", "/api/v3/app", token=github.jwt())
    assert (app.status, app.body["id"], app.body["slug"]) == (200, github.app_id, github.slug)
    bot = await github.call("GET", f"/api/v3/users/{github.slug}%5Bbot%5D", token=await github.token())
    assert (bot.body["id"], bot.body["type"]) == (github.bot_id, "Bot")
    found = await github.rest("GET", "/installation", token=github.jwt())
    assert found.body["id"] == github.installation
    assert await github.violations() == []


def _now() -> int:
    return int(time.time())


@pytest.mark.parametrize(
    ("claims", "status", "words"),
    [
        ({"exp": _now() + 3600}, 401, "too far in the future"),
        ({"exp": _now() - 1}, 401, "'exp'"),
        ({"iat": _now() + 600, "exp": _now() + 900}, 401, "'iat'"),
        ({"iss": "1"}, 404, "Integration not found"),
        ({"iss": "nobody"}, 401, "could not be decoded"),
    ],
)
async def test_a_wrong_jwt_is_refused(github: GitHub, claims: dict[str, Any], status: int, words: str) -> None:
    reply = await github.call("GET", "/api/v3/app", token=github.jwt(**claims))
    assert reply.status == status
    assert words in reply.body["message"]


async def test_a_jwt_signed_by_another_key_is_refused(github: GitHub) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode({"iat": _now() - 5, "exp": _now() + 60, "iss": str(github.app_id)}, key, "RS256")
    assert (await github.call("GET", "/api/v3/app", token=forged)).status == 401
    assert (await github.call("GET", "/api/v3/app")).status == 401


async def test_a_token_is_narrowed_and_that_is_enforced(github: GitHub) -> None:
    token = await github.token(repository_ids=[github.repository_id], permissions={"issues": "read"})
    assert token.startswith(f"ghs_{github.app_id}_")
    number = await github.issue()
    assert (await github.rest("GET", f"/issues/{number}", token=token)).status == 200
    refused = await github.rest("POST", f"/issues/{number}/comments", {"body": "x"}, token=token)
    assert (refused.status, refused.body["message"]) == (403, "Resource not accessible by integration")
    assert (await github.rest("GET", "/git/ref/heads/main", token=token)).status == 403
    minted = (await github.state())["tokens"]
    assert minted[-1]["permissions"] == {"metadata": "read", "issues": "read"}
    assert await github.violations() == []


@pytest.mark.parametrize(
    "asked",
    [
        {"permissions": {"contents": "admin"}},
        {"permissions": {"actions": "read"}},
        {"repository_ids": [1]},
        {"repositories": ["x"]},
    ],
)
async def test_a_token_can_not_be_more_than_was_granted(github: GitHub, asked: dict[str, Any]) -> None:
    path = f"/api/v3/app/installations/{github.installation}/access_tokens"
    assert (await github.call("POST", path, asked, token=github.jwt())).status == 422


async def test_a_repository_outside_the_token_is_not_there(github: GitHub) -> None:
    other = {"owner": github.owner, "name": "gadgets", "files": {"a": "a"}, "app_id": github.app_id}
    await github.sim("POST", "/repos", other)
    token = await github.token(repository_ids=[github.repository_id])
    path = f"/api/v3/repos/{github.owner}/gadgets"
    assert (await github.call("GET", path, token=token)).status == 404
    assert (await github.call("GET", path, token=await github.token())).status == 200


async def test_a_token_ends_by_revocation_and_by_time(github: GitHub) -> None:
    token = await github.token()
    assert (await github.call("DELETE", "/api/v3/installation/token", token=token)).status == 204
    refused = await github.rest("GET", "", token=token)
    assert (refused.status, refused.body["message"]) == (401, "Bad credentials")
    assert (await github.state())["tokens"][-1]["revoked"] is True
    await github.sim("PATCH", f"/apps/{github.app_id}", {"token_seconds": 0})
    assert (await github.rest("GET", "", token=await github.token())).status == 401
    assert (await github.rest("GET", "", token=None)).body["message"] == "Requires authentication"
    assert await github.violations() == []


async def test_a_suspended_installation_and_one_that_was_taken_away(github: GitHub) -> None:
    token, path = await github.token(), f"/api/v3/app/installations/{github.installation}/access_tokens"
    await github.sim("PATCH", f"/repos/{github.full_name}", {"suspended": True})
    for reply in (await github.call("POST", path, token=github.jwt()), await github.rest("GET", "", token=token)):
        assert (reply.status, reply.body["message"]) == (403, "This installation has been suspended")
    await github.sim("PATCH", f"/repos/{github.full_name}", {"suspended": False, "installed": False})
    assert (await github.rest("GET", "", token=token)).status == 404
    assert (await github.rest("GET", "/installation", token=github.jwt())).status == 404


@pytest.mark.parametrize(
    ("role", "legacy"),
    [("admin", "admin"), ("maintain", "write"), ("write", "write"), ("triage", "read"), ("read", "read")],
)
async def test_permission_is_told_by_role_and_by_its_old_name(github: GitHub, role: str, legacy: str) -> None:
    await github.sim("PUT", f"/repos/{github.full_name}/collaborators/grace", {"role": role})
    reply = await github.rest("GET", "/collaborators/Grace/permission")
    assert (reply.body["role_name"], reply.body["permission"]) == (role, legacy)
    assert await github.violations() == []


async def test_the_owner_is_admin_and_a_stranger_reads_what_is_public(github: GitHub) -> None:
    await github.sim("POST", "/users", {"login": "mallory"})
    levels = {}
    for login in (github.owner, "mallory"):
        levels[login] = (await github.rest("GET", f"/collaborators/{login}/permission")).body["role_name"]
    assert levels == {github.owner: "admin", "mallory": "read"}
    assert (await github.rest("GET", "/collaborators/nobody-there/permission")).status == 404


async def test_a_renamed_repository_is_moved_and_an_archived_one_only_read(github: GitHub) -> None:
    number, old = await github.issue(), github.full_name
    await github.sim("PATCH", f"/repos/{old}", {"name": "gizmos", "archived": True})
    github.full_name = f"{github.owner}/gizmos"
    moved = await github.call("GET", f"/api/v3/repos/{old}/issues/{number}", token=await github.token())
    assert moved.status == 301
    there = moved.headers["Location"].removeprefix(github.url)
    assert (await github.call("GET", there, token=await github.token())).body["number"] == number
    path, body = f"/api/v3/repos/{old}/issues/{number}/comments", {"body": "x"}
    written = await github.call("POST", path, body, token=await github.token())
    assert written.status == 307
    refused = await github.rest("POST", f"/issues/{number}/comments", {"body": "x"})
    assert (refused.status, refused.body["message"]) == (403, "Repository was archived so is read-only.")
    assert await github.violations() == []


async def test_every_reply_tells_the_rate_and_every_request_is_logged(github: GitHub) -> None:
    token = await github.token(permissions={"issues": "read"})
    replies = [await github.rest("GET", "", token=token) for _ in range(2)]
    left = [int(r.headers["X-RateLimit-Remaining"]) for r in replies]
    assert left == [4999, 4998]
    mine = [e for e in await github.sim("GET", "/requests") if github.full_name in e["path"] and e["app_id"]]
    assert mine[-1]["token"] == {
        "permissions": {"metadata": "read", "issues": "read"},
        "repository_ids": [github.repository_id],
        "revoked": False,
    }
    assert mine[-1]["app_id"] == github.app_id
    assert mine[-1]["reply"]["full_name"] == github.full_name
