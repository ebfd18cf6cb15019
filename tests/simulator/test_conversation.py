"""Issues, comments, reactions and the webhooks about them."""

import hashlib
import hmac
import json

from tests.github_contract import check_webhook
from tests.simulator.conftest import SECRET, GitHub


async def test_a_comment_reaches_the_app_signed_and_complete(github: GitHub) -> None:
    number = await github.issue()
    made = await github.comment(number, "/backspace do it")
    assert made["delivery"]["status"] == 202

    headers, body = github.received[-1]
    assert headers["X-Hub-Signature-256"] == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-GitHub-Event"] == "issue_comment"
    assert headers["X-GitHub-Delivery"] == made["delivery"]["guid"]
    payload = json.loads(body)
    assert check_webhook("issue_comment", payload) == []
    assert payload["comment"]["id"] == made["id"]
    assert payload["comment"]["user"]["login"] == payload["sender"]["login"] == "ada"
    assert payload["installation"]["id"] == github.installation
    assert payload["repository"]["full_name"] == github.full_name


async def test_every_webhook_is_as_described(github: GitHub) -> None:
    number = await github.issue()
    made = await github.comment(number, "first")
    path = f"/repos/{github.full_name}/issues/comments/{made['id']}"
    await github.sim("PATCH", path, {"user": "ada", "body": "second"})
    await github.sim("DELETE", path, {"user": "ada"})
    await github.sim("POST", f"/repos/{github.full_name}/issues/{number}/labels", {"user": "ada", "label": "backspace"})
    seen = []
    for headers, body in github.received:
        payload = json.loads(body)
        seen.append((headers["X-GitHub-Event"], payload["action"]))
        assert check_webhook(headers["X-GitHub-Event"], payload) == []
    assert seen == [
        ("issues", "opened"),
        ("issue_comment", "created"),
        ("issue_comment", "edited"),
        ("issue_comment", "deleted"),
        ("issues", "labeled"),
    ]
    assert json.loads(github.received[2][1])["changes"] == {"body": {"from": "first"}}


async def test_what_the_bot_writes_comes_back_to_it(github: GitHub) -> None:
    number = await github.issue()
    reply = await github.rest("POST", f"/issues/{number}/comments", {"body": "On it."})
    assert reply.status == 201
    assert reply.body["user"]["id"] == github.bot_id
    await github.until_received(2)
    sender = json.loads(github.received[-1][1])["sender"]
    assert (sender["login"], sender["type"]) == (f"{github.slug}[bot]", "Bot")
    assert await github.violations() == []


async def test_a_comment_is_edited_and_every_body_is_remembered(github: GitHub) -> None:
    number = await github.issue()
    made = (await github.rest("POST", f"/issues/{number}/comments", {"body": "one"})).body
    edited = await github.rest("PATCH", f"/issues/comments/{made['id']}", {"body": "two"})
    assert (edited.status, edited.body["body"]) == (200, "two")
    bodies = (await github.state())["issues"][0]["comments"][0]["bodies"]
    assert [b["body"] for b in bodies] == ["one", "two"]
    conditional = await github.rest("PATCH", f"/issues/comments/{made['id']}", {"body": "x"}, headers={"If-Match": "a"})
    assert conditional.status == 400
    assert (await github.rest("DELETE", f"/issues/comments/{made['id']}")).status == 204
    assert (await github.rest("GET", f"/issues/comments/{made['id']}")).status == 404
    assert await github.violations() == []


async def test_a_comment_that_is_too_long_or_empty_is_refused(github: GitHub) -> None:
    number = await github.issue()
    for body in ("x" * 65_537, " "):
        reply = await github.rest("POST", f"/issues/{number}/comments", {"body": body})
        assert (reply.status, reply.body["message"]) == (422, "Validation Failed")
    assert (await github.rest("POST", f"/issues/{number}/comments", {"body": "x" * 65_536})).status == 201
    assert await github.violations() == []


async def test_comments_come_in_pages(github: GitHub) -> None:
    number = await github.issue()
    for n in range(5):
        await github.comment(number, f"comment {n}")
    first = await github.rest("GET", f"/issues/{number}/comments?per_page=2")
    assert [c["body"] for c in first.body] == ["comment 0", "comment 1"]
    link = first.headers["Link"]
    assert 'rel="next"' in link
    assert 'rel="last"' in link
    following = link.split("<")[1].split(">")[0].removeprefix(github.url)
    second = await github.call("GET", following, token=await github.token())
    assert [c["body"] for c in second.body] == ["comment 2", "comment 3"]
    assert "Link" not in (await github.rest("GET", f"/issues/{number}/comments")).headers
    assert await github.violations() == []


async def test_a_reaction_is_there_once(github: GitHub) -> None:
    number = await github.issue()
    made = await github.comment(number, "hello")
    for path in (f"/issues/{number}/reactions", f"/issues/comments/{made['id']}/reactions"):
        replies = [await github.rest("POST", path, {"content": "eyes"}) for _ in range(2)]
        assert [r.status for r in replies] == [201, 200]
        assert replies[0].body["id"] == replies[1].body["id"]
    issue = (await github.state())["issues"][0]
    eyes = [{"user": f"{github.slug}[bot]", "content": "eyes"}]
    assert issue["reactions"] == issue["comments"][0]["reactions"] == eyes
    assert await github.violations() == []
    assert (await github.rest("POST", f"/issues/{number}/reactions", {"content": "shrug"})).status == 422


async def test_a_locked_issue_takes_no_comment(github: GitHub) -> None:
    number = await github.issue()
    await github.sim("PATCH", f"/repos/{github.full_name}/issues/{number}", {"locked": True})
    reply = await github.rest("POST", f"/issues/{number}/comments", {"body": "hi"})
    assert (reply.status, reply.body["message"]) == (403, "Unable to create comment because issue is locked.")
    assert (await github.rest("GET", f"/issues/{number}")).body["locked"] is True
    assert await github.violations() == []


async def test_a_delivery_that_failed_is_listed_and_can_be_made_again(github: GitHub) -> None:
    github.answers = [500]
    number = await github.issue()
    listed = await github.call("GET", "/api/v3/app/hook/deliveries", token=github.jwt())
    assert [d["status_code"] for d in listed.body] == [500]
    one = listed.body[0]
    whole = await github.call("GET", f"/api/v3/app/hook/deliveries/{one['id']}", token=github.jwt())
    assert whole.body["request"]["payload"]["issue"]["number"] == number
    again = await github.call("POST", f"/api/v3/app/hook/deliveries/{one['id']}/attempts", token=github.jwt())
    assert again.status == 202
    await github.until_received(2)
    assert github.received[0][1] == github.received[1][1]
    assert github.received[0][0]["X-GitHub-Delivery"] == github.received[1][0]["X-GitHub-Delivery"] == one["guid"]
    assert await github.violations() == []


async def test_fifty_at_once_and_a_copy_with_its_own_guid(github: GitHub) -> None:
    made = await github.comment(await github.issue(), "/backspace x")
    guid = made["delivery"]["guid"]
    many = await github.sim("POST", f"/deliveries/{guid}/redeliver", {"times": 50})
    assert [a["status"] for a in many["attempts"]] == [202] * 50
    copy = await github.sim("POST", f"/deliveries/{guid}/redeliver", {"new_guid": True})
    assert copy["guid"] != guid
    assert github.received[-1][0]["X-GitHub-Delivery"] == copy["guid"]
    assert len({body for headers, body in github.received if headers["X-GitHub-Event"] == "issue_comment"}) == 1


async def test_nobody_listens(github: GitHub) -> None:
    await github.sim("PATCH", f"/apps/{github.app_id}", {"webhook_url": "http://127.0.0.1:9/webhook"})
    made = await github.comment(await github.issue(), "/backspace x")
    assert made["delivery"]["status"] == 0
    assert "127.0.0.1:9" in made["delivery"]["error"]
