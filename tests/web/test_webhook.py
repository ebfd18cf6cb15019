"""Every answer that a delivery can get, over real HTTP."""

import asyncio
import gzip
import hashlib
import hmac
import json
import logging
from typing import Any

import aiohttp
import pytest

from app.core.task import Control, ThreadRequest
from app.trigger.policy import Access
from app.web.webhook import Webhook
from tests.trigger.payloads import comment, issue, labeled
from tests.web.conftest import OLD, SECRET, Edge, sign


async def test_a_command_is_202_with_its_task_once_recorded(edge: Edge) -> None:
    assert await edge.deliver() == (202, {"task": "c-1234-900"})
    [asked] = edge.recorded
    assert isinstance(asked, ThreadRequest)
    assert (asked.instruction, asked.delivery) == ("Validate all POST bodies", "72d3162e-cc78-11e3-81ab-4c9367dc0958")


async def test_a_control_word_and_the_label_are_recorded_too(edge: Edge) -> None:
    assert (await edge.deliver(comment("/backspace stop")))[0] == 202
    assert (await edge.deliver(labeled(), event="issues"))[0] == 202
    assert [type(asked) for asked in edge.recorded] == [Control, ThreadRequest]


async def test_the_answer_waits_for_the_record(edge: Edge) -> None:
    edge.delay = 0.2
    sent = asyncio.ensure_future(edge.deliver())
    await asyncio.sleep(0.1)
    assert not sent.done()
    assert (await sent)[0] == 202


async def test_what_could_not_be_recorded_is_503_and_does_not_tell_why(edge: Edge) -> None:
    edge.broken = RuntimeError("disk full at /var/secret")
    assert await edge.deliver() == (503, {"error": "not recorded; deliver it again"})


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("ping", {"zen": "Keep it logically awesome."}),
        ("issue_comment", comment("hello")),
        ("star", {"action": "created"}),
    ],
)
async def test_nothing_asked_is_204(edge: Edge, event: str, payload: Any) -> None:
    assert await edge.deliver(payload, event=event) == (204, None)
    assert edge.recorded == []


async def test_both_secrets_are_taken_while_one_replaces_the_other(edge: Edge) -> None:
    assert (await edge.deliver(secret=OLD))[0] == 202


async def test_an_independent_signers_vector_is_taken(edge: Edge) -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    status, reply = await edge.deliver(body=b"Hello, World!", X_Hub_Signature_256=signature)
    assert (status, reply) == (400, {"error": "the body is not JSON"})


BODY = json.dumps(comment()).encode()


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        "sha256=\xe9",
        "sha256=" + "é" * 64,
        sign(BODY)[:-1],
        sign(BODY) + "0",
        sign(BODY).removeprefix("sha256="),
        sign(BODY).replace("sha256", "sha1"),
        "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest(),
        sign(BODY, "another secret than ours"),
        sign(BODY, ""),
        sign(BODY + b" "),
    ],
)
async def test_a_forged_signature_is_401(edge: Edge, signature: str) -> None:
    """RT-W03, RT-W04, RT-W06"""
    assert (await edge.deliver(body=BODY, X_Hub_Signature_256=signature))[0] == 401
    assert edge.recorded == []


async def test_no_signature_or_only_a_sha1_one_is_401(edge: Edge) -> None:
    """RT-W01"""
    sha1 = "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()
    assert (await edge.deliver(body=BODY, without=("X-Hub-Signature-256",)))[0] == 401
    assert (await edge.deliver(body=BODY, without=("X-Hub-Signature-256",), X_Hub_Signature=sha1))[0] == 401
    assert edge.recorded == []


async def test_a_signature_of_raw_bytes_is_401_and_no_crash(edge: Edge) -> None:
    """RT-W04"""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(
        b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-Hub-Signature-256: sha256=\xe9\xff\r\n\r\n{}"
    )
    assert b" 401 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("missing", ["X-GitHub-Event", "X-GitHub-Delivery"])
async def test_a_missing_name_is_400(edge: Edge, missing: str) -> None:
    """RT-W10"""
    assert (await edge.deliver(without=(missing,)))[0] == 400


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("application/json; charset=bogus", 400),
        ("application/json; charset=utf-16", 400),
        ("application/json; charset=utf-8", 202),
    ],
)
async def test_only_json_in_utf_8_is_taken(edge: Edge, kind: str, status: int) -> None:
    """RT-W11"""
    assert (await edge.deliver(Content_Type=kind))[0] == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b'"x"',
        b"\xff\xfe{}",
        b'{"a": "\xe9"}',
        b"payload=%7B%7D",
        json.dumps(comment(zen=float("nan"))).encode(),
        b"[" * 200_000,
        b'{"a":' * 300_000,
        b"1" * 5_000,
        json.dumps(comment(comment="x")).encode(),
        json.dumps(comment(issue=issue(number="1; rm"))).encode(),
        json.dumps(comment(installation=None)).encode(),
        json.dumps(comment(issue=issue(title="\ud800"))).encode(),
    ],
    ids=range(16),
)
async def test_a_signed_body_that_is_no_payload_is_400(edge: Edge, body: bytes) -> None:
    """RT-W11, RT-W12, RT-W13"""
    status, reply = await edge.deliver(body=body)
    assert status == 400
    assert list(reply) == ["error"]
    assert edge.recorded == []


async def test_a_legal_payload_of_two_megabytes_is_taken(edge: Edge) -> None:
    """RT-W16"""
    assert (await edge.deliver(comment(issue=issue(body="x" * 2**21))))[0] == 202


async def test_a_body_past_githubs_own_limit_is_413_whether_its_length_was_announced_or_not(edge: Edge) -> None:
    body = b" " * (25 * 1024 * 1024 + 1)
    assert (await edge.deliver(body=body))[0] == 413

    async def chunks() -> Any:
        for start in range(0, len(body), 2**20):
            yield body[start : start + 2**20]

    async with aiohttp.ClientSession() as session:
        headers = {"X-Hub-Signature-256": sign(body)}
        async with session.post(edge.url("/webhook"), data=chunks(), headers=headers) as reply:
            assert reply.status == 413


async def test_a_body_that_is_announced_as_too_large_is_not_waited_for(edge: Edge) -> None:
    length = 25 * 1024 * 1024 + 1
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    head = f"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nX-Hub-Signature-256: {sign(b'')}\r\n\r\n"
    writer.write(head.encode())
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


async def test_compressed_bodies_are_refused_and_never_unpacked(edge: Edge) -> None:
    """RT-W15"""
    bomb = gzip.compress(b" " * 2**26) + gzip.compress(b"") * 2_000
    assert (await edge.deliver(body=bomb, Content_Encoding="gzip"))[0] == 415
    assert (await edge.deliver(body=bomb, Content_Encoding="gzip", X_Hub_Signature_256=sign(b"x")))[0] == 401


async def test_slow_bodies_are_cut_off_and_others_are_served_meanwhile(edge: Edge) -> None:
    """RT-W17"""
    head = (
        f"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nX-Hub-Signature-256: {sign(b'')}\r\n\r\n".encode()
    )
    slow = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in range(50)]
    for _, writer in slow:
        writer.write(head + b"{")
    assert (await edge.deliver())[0] == 202
    assert {(await reader.readline()).split()[1] for reader, _ in slow} == {b"408"}
    for _, writer in slow:
        writer.close()


async def test_fifty_deliveries_at_once_are_all_answered(edge: Edge) -> None:
    assert {status for status, _ in await asyncio.gather(*(edge.deliver() for _ in range(50)))} == {202}


async def test_one_log_line_names_delivery_and_task(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "app.web.access")
    await edge.deliver()
    [line] = [record for record in caplog.records if record.name == "app.web.access"]
    assert "delivery=72d3162e-cc78-11e3-81ab-4c9367dc0958 task=c-1234-900" in line.getMessage()
    assert line.__dict__["task"] == "c-1234-900"


async def test_a_webhook_without_a_secret_is_not_made(edge: Edge) -> None:
    """RT-W05"""
    for secrets in ((), ("",), (SECRET, "")):
        with pytest.raises(ValueError, match="secret"):
            Webhook(secrets, "backspace", edge.record, edge.changed)


REMOVED = {"action": "deleted", "installation": {"id": 7}, "repositories": [{"id": 1, "full_name": "a/b"}, {"id": 2}]}


async def test_what_the_app_may_do_no_more_is_heard_and_heard_again_where_it_could_not_be_noted(edge: Edge) -> None:
    """FL-G09"""
    edge.broken = OSError("disk full")
    assert (await edge.deliver(REMOVED, event="installation"))[0] == 503
    edge.broken = None
    assert (await edge.deliver(REMOVED, event="installation"))[0] == 204
    assert edge.changes == [Access("removed", 7, (1, 2))]
    assert (await edge.deliver({**REMOVED, "repositories": "all"}, event="installation"))[0] == 400
    assert edge.recorded == []
