"""Faults of E2B and in its sandboxes, each with what becomes of it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from inline_snapshot import snapshot

from app.core.errors import Transient
from app.sandbox.base import Call, SandboxGone
from app.sandbox.e2b_calls import E2BSandbox
from app.tools.base import ToolResult, run_calls
from tests.e2b_cloud.lab import E2B, Json
from tests.sandbox.conftest import in_e2b
from tests.sandbox.hands import LONG, bash, out, until, until_begun

TOO_LONG = {"code": 400, "message": "Timeout cannot be greater than 1 hours"}


@pytest.fixture
async def sandbox(cloud: E2B, run: str) -> AsyncIterator[E2BSandbox]:
    sandbox = await in_e2b(cloud, patience=1).create(run)
    yield sandbox
    await sandbox.kill()


async def use(sandbox: E2BSandbox, turn: int, name: str, **given: Any) -> ToolResult:
    """As the model does."""
    (result,) = await run_calls(sandbox, f"work/{turn}", [{"id": "toolu_1", "name": name, "input": given}])
    return result


@pytest.mark.parametrize(
    "trouble",
    [
        {"drop_reply": True},
        {"hold": True, "after": True},
        {"hold": True},
        *({"status": s} for s in (429, 500, 502, 503)),
    ],
    ids=str,
)
async def test_trouble_while_creating_leaves_one_sandbox(cloud: E2B, trouble: Json, run: str) -> None:
    """FL-E01, FL-K03: refused, lost, or never answered; the next try finds what the first one made."""
    cloud.fault("^/v2/sandboxes$", method="POST", times=1 if len(trouble) > 1 else 4, **trouble)
    there = in_e2b(cloud, patience=0.2)
    with pytest.raises(Transient):
        await there.create(run)
    cloud.mend()
    sandbox = await there.create(run)
    assert await there.runs() == {sandbox.id: run}
    assert [s["id"] for s in cloud.sandboxes()] == [sandbox.id]


async def test_every_request_to_e2b_ends_by_our_own_deadline(cloud: E2B, run: str) -> None:
    """FL-E03: none is ever answered. What may be tried again is; the rest can be."""
    there = in_e2b(cloud, patience=0.2)
    one, other = [await there.create(f"{run}{n}") for n in range(2)]
    silent = [
        f"{one.id}/connect$",
        f"{one.id}/network$",
        "/files$",
        "/snapshots$",
        f"^/sandboxes/{other.id}$",
        "^/templates/",
    ]

    async def work() -> None:
        assert (await one.run(Call("in", ("wc", "-c"), 20, stdin=b"x" * 100_000))).stdout.head == b"100000\n"

    async def end() -> None:
        assert await other.keep("late")
        await other.kill()

    async def look() -> None:
        with pytest.raises(Transient):
            await there.runs()
        with pytest.raises(Transient):
            await there.forget("late:default")
        with pytest.raises(Transient):
            await there.connect(one.id)

    faults = [cloud.fault(path, hold=True) for path in silent] + [
        cloud.fault("^/v2/sandboxes$", method="GET", hold=True)
    ]
    async with asyncio.timeout(30):
        await asyncio.gather(work(), end(), look())
    assert [cloud.hits(fault) for fault in faults] == [1] * len(faults)


async def test_the_plans_longest_time_is_a_pause_and_no_end(cloud: E2B, sandbox: E2BSandbox) -> None:
    """FL-E04: no more time is given, the sandbox is paused, and the command goes on where it was."""
    refused = cloud.fault("/timeout$", status=400, body=TOO_LONG, times=99)
    running = asyncio.create_task(bash(sandbox, LONG, "work/1/0"))
    await until_begun(sandbox)
    await until(lambda: cloud.hits(refused))
    cloud.order("expire", sandbox.id)
    await bash(sandbox, "touch go")
    result = await running
    assert (result.ended, result.stdout.head) == ("exited", b"first\nlast\n")
    assert cloud.sandbox(sandbox.id)["seconds_left"] > 800


async def test_a_command_that_outlives_its_deadline_costs_its_sandbox(cloud: E2B, run: str) -> None:
    """FL-E04, RT-S07: it stops the keeper that should end it; nothing keeps it awake for ever."""
    sandbox = await in_e2b(cloud, patience=0.2).create(run)
    async with asyncio.timeout(30):
        with pytest.raises(SandboxGone):
            await bash(sandbox, "kill -STOP $PPID; sleep 100", seconds=0.5)
    assert cloud.sandboxes() == []


async def test_no_more_time_while_connecting_is_waited_for(cloud: E2B, sandbox: E2BSandbox) -> None:
    """FL-E04"""
    cloud.fault("/connect$", status=400, body=TOO_LONG)
    with pytest.raises(Transient, match="Waiting for E2B: the sandbox has run as long as the plan allows"):
        await in_e2b(cloud).connect(sandbox.id)
    assert (await in_e2b(cloud).connect(sandbox.id)).id == sandbox.id


async def test_one_whose_end_failed_is_still_known_and_can_be_ended(cloud: E2B, sandbox: E2BSandbox, run: str) -> None:
    """FL-E05: as the sweeper does it, in another process."""
    cloud.fault(f"^/sandboxes/{sandbox.id}$", method="DELETE", status=500, times=99)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sandbox.kill(), 0.5)
    another = in_e2b(cloud)
    assert await another.runs() == {sandbox.id: run}
    cloud.mend()
    await (await another.connect(sandbox.id)).kill()
    assert await another.runs() == {}


async def test_a_command_that_the_kernel_ends_is_a_result(cloud: E2B, sandbox: E2BSandbox) -> None:
    """FL-E06: out of memory is signal 9 from nobody; the model is told, and what it does next is done."""
    running = asyncio.create_task(use(sandbox, 1, "bash", command="echo begun; touch begun; exec sleep 71"))
    await until_begun(sandbox)
    processes = cloud.sandbox(sandbox.id)["processes"]
    (victim,) = [p["host_pid"] for p in processes if p["argv"] == ["sleep", "71"]]
    os.kill(victim, signal.SIGKILL)
    assert (await running).content == snapshot("""\
begun
[exit 137]\
""")
    assert (await use(sandbox, 2, "bash", command="echo fine")).content.startswith("fine\n")


async def test_a_full_disk_is_a_result_and_room_can_be_made(cloud: E2B, run: str) -> None:
    """FL-E06, RT-S07: for commands, and for the tools of the model."""
    cloud.ask("PUT", "plan", {"home_mb": 8})
    sandbox = await in_e2b(cloud).create(run)
    for n in range(5):
        filled = await bash(sandbox, f"head -c 20000000 /dev/zero > big{n}")
        assert (filled.ended, filled.exit_code) == ("exited", 1)
        assert b"No space left on device" in filled.stderr.head + filled.stderr.tail
    told = await use(sandbox, 1, "write", path="new", content="x" * 1_000_000)
    assert (told.is_error, told.content) == (
        True,
        "write did not work in the sandbox: No space left on the sandbox's disk. Try it with bash.",
    )
    assert (await bash(sandbox, "rm big*")).exit_code == 0
    assert not (await use(sandbox, 2, "write", path="new", content="x" * 1_000_000)).is_error


async def test_a_tree_of_processes_ends_at_its_deadline(sandbox: E2BSandbox) -> None:
    """RT-S07: nobody of them is left, and the next command runs."""
    tree = "for n in $(seq 40); do setsid sh -c 'sleep 72 & sleep 72' & done; touch begun; wait"
    assert (await bash(sandbox, tree, seconds=2)).ended == "deadline"
    left = "grep -lz '^72$' /proc/[0-9]*/cmdline | wc -l"
    assert await out(sandbox, left) == "0\n"
