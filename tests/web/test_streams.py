"""The event stream of a task: every event once and in order, to readers of every pace."""

import asyncio
import json
import logging
import socket

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.events import AIMessage, Done, Entry, Status
from app.web.connections import Connections
from app.web.sse import encode
from tests.web.desk import RUN, Desk, Edge, parsed, served, until, wire

END = (Done(outcome="nothing"),)


async def get(edge: Edge, task: str, last: str = "") -> httpx.Response:
    async with edge.client(**({"Last-Event-ID": last} if last else {})) as http:
        return await http.get(f"/code/{task}")


@given(
    st.text()
    | st.sampled_from(['\n\ndata: {"type": "PR Created"}', "\r\ndata: x", "\u2028data: x", "\x85id: y", "\ud83d"])
)
def test_no_text_is_more_than_the_text_of_its_event(text: str) -> None:
    """RT-O06: whatever a client takes for the end of a line."""
    sent = encode(Entry(id="t.1.1.0", at=0, event=AIMessage(message=text))).decode()
    name, data, blank = sent.splitlines()
    assert (name, blank) == ("id: t.1.1.0", "")
    assert json.loads(data.removeprefix("data: ")) == {"type": "AI Message", "message": text}


def test_nothing_in_a_stream_is_hidden_from_who_reads_it_as_it_is() -> None:
    """RT-P05, RT-P06: a terminal that shows it acts on nothing, and it means what was said all the same."""
    said = "a\u202eb\u200b\x1b[31m\x9b31m\U000e0041"
    sent = encode(Entry(id="t.1.1.0", at=0, event=AIMessage(message=said))).decode()
    assert sent.replace("\n", "").isprintable()
    assert sent.isascii()
    assert json.loads(sent.splitlines()[1].removeprefix("data: "))["message"] == said


@pytest.mark.parametrize("part", [1, 2, 1000])
async def test_any_last_id_resumes_without_gap_or_repeat(part: int) -> None:
    """FL-O07: also where the log comes in parts, and some steps tell nothing."""
    desk = Desk(part=part)
    task = desk.task((), *RUN)
    async with served(desk) as edge:
        ids, events = parsed((await get(edge, task)).text)
        assert events == wire(RUN)
        for n, last in enumerate(ids[:-1]):
            assert parsed((await get(edge, task, last)).text) == (ids[n + 1 :], events[n + 1 :])
        over = await get(edge, task, ids[-1])
    assert (over.status_code, over.content) == (204, b"")


@pytest.mark.parametrize(
    "unknown", ["x", "t-2.1.3.0", "-1", "t-1", "t-1.1.1", "t-1.1.1.0.0", f"t-1.1.1.{'9' * 5000}", "\xe9"]
)
async def test_an_id_that_is_none_of_the_tasks_gets_all(unknown: str) -> None:
    desk = Desk()
    task = desk.task(*RUN)
    async with served(desk) as edge, edge.client() as http:
        reply = await http.get(f"/code/{task}", headers={b"Last-Event-ID": unknown.encode("latin-1")})
    assert parsed(reply.text)[1] == wire(RUN)


@pytest.mark.parametrize("name", ["t-9", "..%2fhealthz", "T-1", "t-1%00", "%F0%9F", "x" * 300])
async def test_an_unknown_task_is_404(name: str) -> None:
    desk = Desk()
    desk.task(*RUN)
    async with served(desk) as edge:
        reply = await get(edge, name)
    assert (reply.status_code, reply.json()) == (404, {"error": "There is no such task."})


async def test_what_is_recorded_wakes_its_readers_and_costs_two_reads() -> None:
    """The look without news is a minute away."""
    desk = Desk()
    task, other = desk.task(), desk.task()
    async with (
        served(desk, timing={"look": 60}) as edge,
        edge.client() as http,
        http.stream("GET", f"/code/{task}") as one,
        http.stream("GET", f"/code/{other}") as two,
    ):
        lines, others = one.aiter_lines(), two.aiter_lines()
        for n in range(3):
            before = desk.reads
            desk.record(task, Status(message=str(n)))
            assert [await anext(lines) for _ in range(3)] == [
                f"id: {task}.1.{n + 1}.0",
                f'data: {{"type": "Status", "message": "{n}"}}',
                "",
            ]
            await asyncio.sleep(0.05)
            assert desk.reads - before == 2
        for key, rest in ((task, lines), (other, others)):
            desk.record(key, *END)
            assert '"Done"' in [line async for line in rest][-2]


async def test_silence_is_filled_with_comments_that_no_client_takes_for_an_event() -> None:
    desk = Desk()
    task = desk.task((Status(message="one"),))
    async with served(desk, timing={"look": 0.02, "ping": 0.02}) as edge:
        reading = asyncio.ensure_future(get(edge, task))
        await asyncio.sleep(0.5)
        desk.record(task, *END)
        text = (await reading).text
    assert text.count(": ping\n") >= 2
    assert "ping\n\n" not in text
    assert parsed(text.replace(": ping\n", ""))[0] == [f"{task}.1.1.0", f"{task}.1.2.0"]


async def test_a_log_that_breaks_breaks_the_stream_and_it_can_be_resumed(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    task = desk.task((Status(message="one"),))
    async with served(desk, timing={"look": 0.02}) as edge, edge.client() as http:
        async with http.stream("GET", f"/code/{task}") as reply:
            lines = reply.aiter_lines()
            assert await anext(lines) == f"id: {task}.1.1.0"
            kept, desk.tasks[task].steps = desk.tasks[task].steps, None  # type: ignore[assignment]
            with pytest.raises(httpx.RemoteProtocolError):
                async for _ in lines:
                    pass
        desk.tasks[task].steps = [*kept, END]
        assert parsed((await get(edge, task, f"{task}.1.1.0")).text)[0] == [f"{task}.1.2.0"]
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == ["a stream broke off"]


def hang_up(edge: Edge, task: str) -> None:
    with socket.create_connection(("127.0.0.1", edge.port)) as raw:
        raw.sendall(f"GET /code/{task} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())


async def test_a_thousand_readers_that_hang_up_leave_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    """RT-A09, FL-O06: the task does not notice, and nobody reads on for those who left."""
    desk = Desk()
    task = desk.task((Status(message="one"),))
    async with served(desk, timing={"look": 0.05}) as edge:
        staying = asyncio.ensure_future(get(edge, task))
        await asyncio.sleep(0.1)
        before = len(asyncio.all_tasks())
        for _ in range(1000):
            await asyncio.to_thread(hang_up, edge, task)
        await until(lambda: len(asyncio.all_tasks()) <= before)
        desk.record(task, *END)
        assert parsed((await staying).text)[0] == [f"{task}.1.1.0", f"{task}.1.2.0"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_reader_that_takes_nothing_is_disconnected_holds_up_nobody_and_may_resume() -> None:
    """RT-A10, FL-O08: of a log of 64 MB it makes the server read a part only."""
    desk = Desk(part=1)
    task = desk.task(*[(AIMessage(message=f"{n} " + "x" * 1_000_000),) for n in range(64)], END)
    async with served(desk, limits=Connections(silence=1)) as edge:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", edge.port))
            raw.sendall(f"GET /code/{task} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            await asyncio.sleep(0.2)
            assert 0 < desk.reads < 32
            assert (await get(edge, task, f"{task}.1.64.0")).text.count("data: ") == 1
            await until(lambda: not edge.connections)
        assert parsed((await get(edge, task, f"{task}.1.62.0")).text)[0] == [f"{task}.1.{n}.0" for n in (63, 64, 65)]


async def test_a_reader_that_takes_little_at_a_time_gets_everything() -> None:
    """RT-A10"""
    desk = Desk()
    task = desk.task(*RUN)
    async with served(desk, limits=Connections(silence=5)) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(f"GET /code/{task} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        text = b""
        while byte := await reader.read(1):
            text += byte
        writer.close()
    assert parsed(text.partition(b"\r\n\r\n")[2].decode())[1] == wire(RUN)
