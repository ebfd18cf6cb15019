"""Sandboxes that begin with what was kept of another one, and servers that share one team."""

import os
from pathlib import Path

import pytest

from app.core.errors import Transient
from app.sandbox.base import Call, WarmGone
from tests.e2b_cloud.lab import E2B, Json
from tests.sandbox.conftest import in_e2b
from tests.sandbox.hands import bash, out


def creations(cloud: E2B, run: str) -> list[Json]:
    """The requests for a sandbox of this run, as they came."""
    sent = [r for r in cloud.requests("/v2/sandboxes") if r["method"] == "POST" and r["path"] == "/v2/sandboxes"]
    return [r for r in sent if r["body"]["metadata"]["run"] == run]


async def kept(cloud: E2B, name: str = "larder") -> str:
    """A state with a file in it, its sandbox gone."""
    sandbox = await in_e2b(cloud).create(f"of {name}")
    await bash(sandbox, "echo warm > file; echo canary-output", "prepare/1")
    await sandbox.run(Call("in", ("true",), 5, stdin=b"canary-input" * 10_000))
    warm = await sandbox.keep(name)
    await sandbox.kill()
    return warm


async def test_nothing_of_the_other_ones_calls_is_left(cloud: E2B, run: str) -> None:
    fresh = await in_e2b(cloud).create(run, await kept(cloud))
    assert await out(fresh, "cat file", "prepare/1") == "warm\n"
    assert os.listdir(f"{cloud.sandbox(fresh.id)['disk']}/home/user/.backspace/sandboxes") == [fresh.id]


async def test_its_network_is_that_of_any_new_one(cloud: E2B, run: str) -> None:
    """RT-S02, RT-S08: asserted on what the control plane is asked."""
    there = in_e2b(cloud)
    fresh = await there.create(run, await kept(cloud))
    (asked,) = [r["body"] for r in creations(cloud, run)]
    await there.create("cold")
    (cold,) = [r["body"] for r in creations(cloud, "cold")]
    assert asked["network"] == cold["network"]
    assert asked["network"]["allowOut"] == ["127.0.0.1"]
    assert asked["network"]["allowPublicTraffic"] is False
    await bash(fresh, "true")
    assert "127.0.0.1" not in cloud.sandbox(fresh.id)["network"]["allowOut"]


async def test_where_it_is_gone_a_cold_one_is_made_under_another_key(cloud: E2B, run: str) -> None:
    there = in_e2b(cloud)
    with pytest.raises(WarmGone):
        await there.create(run, "nothing:default")
    sandbox = await there.create(run)
    assert (await there.create(run, "nothing:default")).id == sandbox.id
    keys = [r["headers"]["idempotency-key"] for r in creations(cloud, run)]
    assert len(keys) == len(set(keys)) == 2


async def test_one_that_sleeps_is_woken_to_be_kept(cloud: E2B, run: str) -> None:
    sandbox = await in_e2b(cloud).create(run)
    cloud.order("pause", sandbox.id)
    assert await sandbox.keep("slept") == "team/backspace-12-slept:default"


async def test_what_a_name_stands_for_is_replaced(cloud: E2B, run: str) -> None:
    first = await kept(cloud, "again")
    sandbox = await in_e2b(cloud).create(run)
    await bash(sandbox, "echo newer > file")
    assert await sandbox.keep("again") == first
    assert await out(await in_e2b(cloud).create(f"{run}2", first), "cat file") == "newer\n"


async def test_trouble_while_keeping_passes(cloud: E2B, run: str) -> None:
    sandbox = await in_e2b(cloud, patience=1).create(run)
    cloud.fault("/snapshots$", status=500)
    cloud.fault("/snapshots$", drop_reply=True)
    assert await sandbox.keep("tried") == "team/backspace-12-tried:default"


async def test_what_a_sleeping_sandbox_needs_is_forgotten_later(cloud: E2B, run: str) -> None:
    there = in_e2b(cloud)
    warm = await kept(cloud)
    sandbox = await there.create(run, warm)
    cloud.order("pause", sandbox.id)
    with pytest.raises(Transient, match="a paused sandbox needs it"):
        await there.forget(warm)
    await sandbox.kill()
    await there.forget(warm)
    with pytest.raises(WarmGone):
        await there.create(f"{run}2", warm)


async def test_servers_that_share_a_team_see_their_own_sandboxes_only(cloud: E2B, run: str) -> None:
    """The same run's name and the same template are another sandbox for another App."""
    ours, theirs = in_e2b(cloud), in_e2b(cloud, deployment="13")
    first, second = await ours.create(run), await theirs.create(run)
    assert first.id != second.id
    assert await ours.runs() == {first.id: run}
    assert await theirs.runs() == {second.id: run}
    assert await first.keep("same") != await second.keep("same")
    assert len({r["headers"]["idempotency-key"] for r in creations(cloud, run)}) == 2


async def test_packages_that_are_given_are_what_pip_installs_from(cloud: E2B, run: str, tmp_path: Path) -> None:
    (tmp_path / "larder-1.tar.gz").write_bytes(b"\0" * 100_000)
    sandbox = await in_e2b(cloud, wheels=tmp_path).create(run)
    told = await out(sandbox, "echo $PIP_NO_INDEX; cd $PIP_FIND_LINKS; stat -c '%n %s' *")
    assert told == "1\nlarder-1.tar.gz 100000\n"


async def test_packages_come_also_where_the_first_server_died_before(cloud: E2B, run: str, tmp_path: Path) -> None:
    (tmp_path / "larder-1.tar.gz").touch()
    there = in_e2b(cloud, wheels=tmp_path, patience=0.2)
    cloud.fault("^/files$", status=500, times=1)
    cloud.fault("^/v2/sandboxes$", method="POST", drop_reply=True)
    with pytest.raises(Transient):
        await there.create(run)
    assert await out(await there.create(run), "ls $PIP_FIND_LINKS") == "larder-1.tar.gz\n"
