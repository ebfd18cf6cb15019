"""The lives of sandboxes, by E2B's own SDK."""

import time
from typing import Any

import pytest
from e2b import (
    AsyncSandbox,
    AuthenticationException,
    CommandExitException,
    RateLimitException,
    SandboxException,
    SandboxQuery,
    SandboxState,
)
from e2b.exceptions import SandboxNotFoundException, SandboxNotRunningException

from tests.e2b_cloud.conftest import Create
from tests.e2b_cloud.lab import E2B, until

ODD = "a b&c=ü%/+"


async def gone(sandbox: AsyncSandbox) -> bool:
    return not await sandbox.is_running()


async def found(e2b: E2B, **query: Any) -> list[str]:
    """Ids, over all pages of two."""
    pages = AsyncSandbox.list(query=SandboxQuery(**query), limit=2, **e2b.options)
    ids = []
    while pages.has_next:
        ids += [s.sandbox_id for s in await pages.next_items()]
    return ids


async def test_the_key_is_looked_at(e2b: E2B) -> None:
    with pytest.raises(AuthenticationException, match="Invalid API key"):
        await AsyncSandbox.create(**{**e2b.options, "api_key": "e2b_" + "00" * 20})
    assert e2b.http.get("/v2/sandboxes").json() == {"code": 401, "message": "Authorization header is missing"}


async def test_nobody_gets_in_without_the_sandboxs_own_token(sandbox: AsyncSandbox, e2b: E2B) -> None:
    headers = {"E2b-Sandbox-Id": sandbox.sandbox_id}
    assert e2b.http.get("/health", headers=headers).status_code == 204
    assert e2b.http.get("/files?path=x", headers=headers).status_code == 401
    assert (
        e2b.http.post("/process.Process/List", json={}, headers={**headers, "X-Access-Token": "x"}).status_code == 401
    )


async def test_one_key_makes_one_sandbox(create: Create, e2b: E2B) -> None:
    asked = {"metadata": {"run": "once"}, "idempotency_key": "run-1"}
    first = await create(**asked)
    assert (await create(**asked)).sandbox_id == first.sandbox_id
    assert await found(e2b, metadata={"run": "once"}) == [first.sandbox_id]
    with pytest.raises(SandboxException) as other:
        await create(metadata={"run": "twice"}, idempotency_key="run-1")
    assert other.value.status_code == 422


async def test_lists_by_metadata_and_state_page_by_page_the_youngest_first(create: Create, e2b: E2B) -> None:
    made = [(await create(metadata={"of": ODD, "n": str(n)})).sandbox_id for n in range(3)]
    await create(metadata={"of": "another"})
    assert await found(e2b, metadata={"of": ODD}) == made[::-1]
    assert await found(e2b, metadata={"of": ODD, "n": "1"}) == [made[1]]
    await AsyncSandbox.pause(made[1], **e2b.options)
    assert await found(e2b, metadata={"of": ODD}, state=[SandboxState.RUNNING]) == [made[2], made[0]]
    assert await found(e2b, metadata={"of": ODD}, state=[SandboxState.PAUSED]) == [made[1]]


async def test_its_time_can_be_made_longer_by_connecting_and_anything_by_setting_it(create: Create, e2b: E2B) -> None:
    sandbox = await create(timeout=100, metadata={"a": "b"})
    info = await sandbox.get_info()
    assert (info.metadata, info.state, info.template_id) == ({"a": "b"}, SandboxState.RUNNING, "base")
    for change, expected in (
        (lambda: sandbox.connect(timeout=50), 100),
        (lambda: sandbox.connect(timeout=200), 200),
        (lambda: sandbox.set_timeout(30), 30),
    ):
        await change()
        assert e2b.sandbox(sandbox.sandbox_id)["seconds_left"] == pytest.approx(expected, abs=10)


async def test_at_the_end_of_its_time_it_is_gone(create: Create, e2b: E2B) -> None:
    sandbox = await create(timeout=1)
    await until(lambda: gone(sandbox))
    with pytest.raises(SandboxNotRunningException):
        await sandbox.files.read("x")
    with pytest.raises(SandboxNotFoundException):
        await AsyncSandbox.connect(sandbox.sandbox_id, **e2b.options)
    with pytest.raises(SandboxNotFoundException):
        await sandbox.set_timeout(60)
    assert not await sandbox.kill()


async def test_or_paused_if_it_was_made_so_and_goes_on_where_it_was(create: Create, e2b: E2B) -> None:
    sandbox = await create(lifecycle={"on_timeout": "pause"})
    handle = await sandbox.commands.run("while sleep 0.02; do echo; echo >> beat; done", background=True, timeout=0)
    await until(lambda: len(handle.stdout) > 2)
    e2b.order("expire", sandbox.sandbox_id)
    with pytest.raises(SandboxNotRunningException):
        await handle.wait()
    (report,) = [s for s in e2b.sandboxes() if s["id"] == sandbox.sandbox_id]
    assert report["state"] == "paused"
    beats = f"{report['disk']}/home/user/beat"
    before = _size(beats)
    time.sleep(0.1)  # noqa: ASYNC251 nothing else is to happen meanwhile
    assert _size(beats) == before
    with pytest.raises(SandboxNotRunningException):
        await sandbox.files.read("beat")
    assert not await sandbox.pause()
    await sandbox.connect(timeout=60)
    await until(lambda: _size(beats) > before)
    assert [p.pid for p in await sandbox.commands.list()] == [handle.pid]


def _size(path: str) -> int:
    with open(path, "rb") as file:
        return len(file.read())


async def test_a_paused_one_can_be_killed_and_one_that_may_wake_up_does(create: Create, e2b: E2B) -> None:
    sandbox = await create(lifecycle={"on_timeout": "pause", "auto_resume": True})
    await sandbox.pause()
    assert (await sandbox.commands.run("echo awake", timeout=0)).stdout == "awake\n"
    await sandbox.pause()
    assert await sandbox.kill()
    assert e2b.sandboxes() == [s for s in e2b.sandboxes() if s["id"] != sandbox.sandbox_id]


async def test_the_plan_limits_how_long_and_how_many(create: Create, e2b: E2B) -> None:
    e2b.ask("PUT", "plan", {"hours": 1, "concurrent": len(e2b.sandboxes()) + 1})
    with pytest.raises(SandboxException, match="Timeout cannot be greater than 1 hours"):
        await create(timeout=3601)
    sandbox = await create(timeout=3000)
    with pytest.raises(RateLimitException, match="maximum number of concurrent E2B sandboxes"):
        await create(retries=0)
    await sandbox.set_timeout(3600)
    report = e2b.sandbox(sandbox.sandbox_id)
    assert report["end_at"] <= report["started_at"] + 3600
    await sandbox.pause()
    await create()


async def test_a_snapshot_is_a_template_with_the_files_of_that_moment(create: Create, e2b: E2B) -> None:
    sandbox = await create()
    await sandbox.files.write("kept", "warm")
    snapshot = await sandbox.create_snapshot(name="repo-1")
    await sandbox.files.write("kept", "changed")
    fresh = await create(template=snapshot.snapshot_id, metadata={"from": "snapshot"})
    assert await fresh.files.read("kept") == "warm"
    pages = AsyncSandbox.list_snapshots(**e2b.options)
    assert snapshot.snapshot_id in [s.snapshot_id for s in await pages.next_items()]
    assert await AsyncSandbox.delete_snapshot(snapshot.snapshot_id, **e2b.options)
    assert not await AsyncSandbox.delete_snapshot(snapshot.snapshot_id, **e2b.options)
    with pytest.raises(SandboxException, match="404: template 'team/repo-1:default' not found"):
        await create(template=snapshot.snapshot_id)


async def test_commands_reach_this_machine_while_the_policy_lets_them(create: Create, e2b: E2B) -> None:
    reach = f"curl -sS -o /dev/null {e2b.url}/_cloud/faults"
    sandbox = await create(network={"deny_out": ["0.0.0.0/0"], "allow_out": ["127.0.0.1"]})
    await sandbox.commands.run(reach, timeout=0)
    await sandbox.update_network({"deny_out": ["0.0.0.0/0"], "allow_out": ["packages.example.org"]})
    with pytest.raises(CommandExitException):
        await sandbox.commands.run(reach, timeout=0)
    report = e2b.sandbox(sandbox.sandbox_id)
    assert report["network"] == {"denyOut": ["0.0.0.0/0"], "allowOut": ["packages.example.org"]}
    assert not report["on_the_network"]
    talk = "python3 -m http.server 8123 --bind 127.0.0.1 >/dev/null 2>&1 & curl -sS --retry 9 --retry-connrefused localhost:8123 >&2"
    assert "Directory listing" in (await sandbox.commands.run(f"{talk}; kill %1", timeout=0)).stderr
    await sandbox.update_network({})
    await sandbox.commands.run(reach, timeout=0)
    with pytest.raises(SandboxException, match="ALL_TRAFFIC"):
        await create(network={"allow_out": ["packages.example.org"]})
