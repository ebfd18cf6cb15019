"""What is so of the sandboxes in E2B, against the stand-in: their life beyond the server's, their network, and E2B's bad days."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.errors import Transient, UserError
from app.sandbox.base import Call, SandboxGone
from app.sandbox.e2b_calls import KEEPER, E2BSandbox
from tests.e2b_cloud.lab import E2B
from tests.sandbox.conftest import in_e2b
from tests.sandbox.git_server import serve
from tests.sandbox.hands import LONG, bash, out, until, until_begun


@pytest.fixture
async def sandbox(cloud: E2B, run: str) -> AsyncIterator[E2BSandbox]:
    sandbox = await in_e2b(cloud, patience=1).create(run)
    yield sandbox
    await sandbox.kill()


async def test_it_is_made_to_outlive_us_and_reached_by_nobody_else(cloud: E2B, sandbox: E2BSandbox, run: str) -> None:
    """RT-S08: no address of the sandbox is public."""
    (made,) = cloud.sandboxes(app="backspace", run=run)
    assert made["id"] == sandbox.id
    assert made["on_timeout"] == "pause"
    assert 800 < made["seconds_left"] <= 900
    assert made["envs"] == {}
    assert made["network"]["allowPublicTraffic"] is False
    request = [r for r in cloud.requests("/v2/sandboxes") if r["method"] == "POST" and r["path"] == "/v2/sandboxes"][-1]
    assert request["headers"]["idempotency-key"].startswith("backspace-")
    assert request["body"]["autoResume"] == {"enabled": False}


@pytest.mark.parametrize("egress", ["registries", "none", "all"])
async def test_the_git_server_is_in_reach_while_cloning_only(cloud: E2B, tmp_path: Path, egress: str, run: str) -> None:
    """RT-S02: by what the control plane was asked, and from inside."""
    sandbox = await in_e2b(cloud, egress=egress).create(run)
    with serve(tmp_path, "token") as address:
        fetch = f"python3 -c 'import urllib.request as u; u.urlopen(\"{address}\", timeout=5)' 2>&1 | tail -1"
        while_cloning = await bash(sandbox, fetch, "clone/1", network=True)
        assert b"401" in while_cloning.stdout.head
        afterwards = await out(sandbox, fetch, "work/1/0")
        assert ("401" in afterwards) is (egress == "all")
    policies = [r["body"] for r in cloud.requests("/network", sandbox.id)]
    assert [policy["allowOut"] == ["127.0.0.1"] for policy in policies] == [True, False]
    assert "127.0.0.1" not in policies[1]["allowOut"]
    assert policies[1]["denyOut"] == ([] if egress == "all" else ["0.0.0.0/0"])
    assert ("pypi.org" in policies[1]["allowOut"]) is (egress == "registries")
    assert policies[1]["dnsServers"] == ([] if egress == "none" else ["8.8.8.8"])


async def test_no_command_starts_before_the_network_is_closed(cloud: E2B, sandbox: E2BSandbox) -> None:
    cloud.fault("/network$", status=500, times=1000)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bash(sandbox, "echo x >> ran", "work/1/0"), 1)
    assert not cloud.requests("/Start", sandbox.id)
    cloud.mend()
    assert await out(sandbox, "cat ran; echo x >> ran", "work/1/0") == ""
    assert await out(sandbox, "cat ran") == "x\n"


@pytest.mark.parametrize("trouble", ["drop", "pause", "expire"])
async def test_a_command_goes_on_where_the_connection_is_lost(cloud: E2B, sandbox: E2BSandbox, trouble: str) -> None:
    running = asyncio.create_task(bash(sandbox, LONG, "work/1/0"))
    await until_begun(sandbox)
    cloud.order(trouble, sandbox.id)
    await bash(sandbox, "touch go")
    result = await running
    assert (result.ended, result.stdout.head) == ("exited", b"first\nlast\n")
    assert await out(sandbox, "cat ran") == "x\n"


async def test_a_connection_without_a_word_counts_as_lost(cloud: E2B, sandbox: E2BSandbox) -> None:
    """FL-E03"""
    await bash(sandbox, "true")
    silent = cloud.fault("/Start$", hold=True)
    assert await out(sandbox, "echo x >> ran; wc -l < ran", "work/1/0") == "1\n"
    assert cloud.hits(silent) == 1


async def test_a_long_command_keeps_its_sandbox_awake(cloud: E2B, sandbox: E2BSandbox) -> None:
    """FL-E04: it is given more time before the old one is over."""
    running = asyncio.create_task(bash(sandbox, LONG, "work/1/0"))
    await until(lambda: cloud.requests("/timeout", sandbox.id))
    assert cloud.requests("/timeout", sandbox.id)[-1]["body"] == {"timeout": 900}
    await bash(sandbox, "touch go")
    assert (await running).exit_code == 0


async def test_after_a_pause_the_network_is_closed_again(cloud: E2B, sandbox: E2BSandbox) -> None:
    """RT-S02: whether its commands or its server wake it; E2B may have gone back to the policy that it was made with."""
    for key, wake in (("work/1/0", None), ("work/2/0", in_e2b(cloud).connect)):
        await bash(sandbox, "true", f"{key}/before")
        cloud.order("pause", sandbox.id)
        known = len(cloud.requests("/network", sandbox.id))
        await bash(await wake(sandbox.id) if wake else sandbox, "true", key)
        assert len(cloud.requests("/network", sandbox.id)) == known + 1


async def test_after_a_pause_in_mid_command_the_network_is_closed_by_its_own_next_question(
    cloud: E2B, sandbox: E2BSandbox
) -> None:
    """RT-S02: no other command comes, which would see to it as well."""
    running = asyncio.create_task(bash(sandbox, LONG, "work/1/0"))
    await until_begun(sandbox)
    await until(lambda: cloud.requests("/timeout", sandbox.id))  # what asks from now on only follows
    cloud.order("pause", sandbox.id)
    await until(lambda: cloud.sandbox(sandbox.id)["state"] == "running")
    (Path(cloud.sandbox(sandbox.id)["disk"]) / sandbox.repo[1:] / "go").touch()
    assert (await running).stdout.head == b"first\nlast\n"
    paths = [r["path"].rsplit("/")[-1] for r in cloud.requests("", sandbox.id)]
    assert "network" in paths[len(paths) - paths[::-1].index("connect") :]


async def test_after_a_state_was_kept_the_network_is_closed_again(cloud: E2B, sandbox: E2BSandbox) -> None:
    """RT-S02: E2B pauses a sandbox to keep its state."""
    await bash(sandbox, "true", "prepare/1")
    await sandbox.keep("closed")
    known = len(cloud.requests("/network", sandbox.id))
    await bash(sandbox, "true", "work/1/0")
    assert len(cloud.requests("/network", sandbox.id)) == known + 1


async def test_a_sandbox_that_vanishes_is_gone(cloud: E2B, sandbox: E2BSandbox, run: str) -> None:
    running = asyncio.create_task(bash(sandbox, LONG, "work/1/0"))
    await until_begun(sandbox)
    cloud.order("vanish", sandbox.id)
    with pytest.raises(SandboxGone):
        await running
    with pytest.raises(SandboxGone):
        await sandbox.run(Call("more", ("true",), 5))
    with pytest.raises(SandboxGone):
        await in_e2b(cloud).connect(sandbox.id)
    another = await in_e2b(cloud).create(run)
    assert another.id != sandbox.id
    assert await out(another, "ls", "work/1/0") == ""


async def test_a_command_whose_end_was_lost_is_not_run_again(cloud: E2B, sandbox: E2BSandbox) -> None:
    """FL-K05: the machine went down and up again: no process is left, the files are."""
    running = asyncio.create_task(bash(sandbox, LONG, "work/1/0"))
    await until_begun(sandbox)
    for process in cloud.sandbox(sandbox.id)["processes"]:
        with contextlib.suppress(ProcessLookupError):  # a short sleep, over meanwhile
            os.kill(process["host_pid"], signal.SIGKILL)
    result = await running
    assert (result.ended, result.exit_code, result.stdout.head) == ("interrupted", None, b"first\n")
    assert (await bash(sandbox, LONG, "work/1/0")).ended == "interrupted"
    assert await out(sandbox, "cat ran") == "x\n"


async def test_the_plans_limit_is_something_to_wait_for(cloud: E2B, run: str) -> None:
    cloud.ask("PUT", "plan", {"concurrent": 0})
    with pytest.raises(Transient, match="Waiting for E2B: the plan's limit of sandboxes") as limited:
        await in_e2b(cloud).create(run)
    assert limited.value.retry_after == 20


async def test_an_end_that_fails_is_tried_again(cloud: E2B, sandbox: E2BSandbox) -> None:
    """FL-E05"""
    cloud.fault(f"^/sandboxes/{sandbox.id}$", method="DELETE", status=500, times=2)
    await sandbox.kill()
    assert cloud.sandboxes() == []


async def test_the_token_of_one_command_is_on_no_disk_and_in_no_other_process(cloud: E2B, sandbox: E2BSandbox) -> None:
    env = {"TOKEN": "canary-token"}
    running = asyncio.create_task(bash(sandbox, f"test -n $TOKEN; {LONG}", "clone/1", env=env, network=True))
    await until_begun(sandbox)
    disk = Path(cloud.sandbox(sandbox.id)["disk"])
    assert holding(b"canary", disk) == []
    keepers = [p for p in cloud.sandbox(sandbox.id)["processes"] if KEEPER in p["argv"]]
    assert [keeper["environ"] for keeper in keepers] == [[]]
    await bash(sandbox, "touch go")
    assert (await running).exit_code == 0
    after = cloud.sandbox(sandbox.id)
    assert holding(b"canary", disk) == []
    assert [p for p in after["processes"] if "canary" in str(p)] == []
    await bash(sandbox, "echo planted-canary > ~/.hidden")
    assert holding(b"canary", disk) != []


def holding(text: bytes, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


async def test_large_input_leaves_nothing_behind(cloud: E2B, sandbox: E2BSandbox) -> None:
    result = await sandbox.run(Call("in", ("wc", "-c"), 20, stdin=b"canary" * 1_000_000))
    assert result.stdout.head == b"6000000\n"
    assert holding(b"canarycanary", Path(cloud.sandbox(sandbox.id)["disk"])) == []


async def test_a_profile_of_the_agents_making_has_no_say(sandbox: E2BSandbox) -> None:
    await bash(sandbox, "for f in .bash_profile .profile .bashrc; do echo 'echo mine; exit 1' > ~/$f; done")
    assert await out(sandbox, "echo fine") == "fine\n"


async def test_the_check_tells_of_a_wrong_key_and_template(cloud: E2B, run: str) -> None:
    await in_e2b(cloud).check()
    with pytest.raises(UserError, match=r"^E2B_API_KEY: "):
        await in_e2b(cloud, api_key="e2b_wrong").check()
    with pytest.raises(UserError, match=r"^BACKSPACE_E2B_TEMPLATE: .* no template nosuch"):
        await in_e2b(cloud, template="nosuch").check()
    with pytest.raises(UserError, match=r"^BACKSPACE_E2B_TEMPLATE: "):
        await in_e2b(cloud, template="nosuch").create(run)
