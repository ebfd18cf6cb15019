"""What a test can have go wrong, and what it can find out."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from e2b import AsyncSandbox, AsyncTemplate, RateLimitException, SandboxException
from e2b.exceptions import SandboxNotFoundException

from tests.e2b_cloud.conftest import Create
from tests.e2b_cloud.lab import E2B, until

CANARY = "canary-7d1f"


async def test_a_create_that_is_refused_until_it_is_not(create: Create, e2b: E2B) -> None:
    busy: Any = {
        "path": "^/v2/sandboxes$",
        "method": "POST",
        "status": 429,
        "body": {"code": 429, "message": "slow down"},
    }
    fault = e2b.fault(**busy, times=2, headers={"Retry-After": "0"})
    sandbox = await create(idempotency_key="third-time")
    assert e2b.hits(fault) == 2
    assert len(e2b.requests("/v2/sandboxes")) >= 3
    await sandbox.kill()
    e2b.fault(**busy)
    with pytest.raises(RateLimitException, match="slow down"):
        await create(retries=0)


async def test_a_slow_create_goes_on_though_the_client_has_left(create: Create, e2b: E2B) -> None:
    e2b.fault("^/v2/sandboxes$", method="POST", hold=True, after=True)
    asked = {"metadata": {"run": "slow"}, "idempotency_key": "slow"}
    with pytest.raises(httpx.ReadTimeout):
        await create(**asked, request_timeout=0.5, retries=0)
    (left,) = e2b.sandboxes(run="slow")
    assert (await create(**asked)).sandbox_id == left["id"]


async def test_a_kill_that_fails_leaves_it_running(sandbox: AsyncSandbox, e2b: E2B) -> None:
    e2b.fault("^/sandboxes/", method="DELETE", status=500, body={"code": 500, "message": "Error killing sandbox"})
    with pytest.raises(SandboxException, match="Error killing sandbox"):
        await sandbox.kill()
    assert e2b.sandbox(sandbox.sandbox_id)["state"] == "running"


async def test_an_answer_that_is_no_json(sandbox: AsyncSandbox, e2b: E2B) -> None:
    e2b.fault(f"^/sandboxes/{sandbox.sandbox_id}$", status=404, body="<h1>not found</h1>")
    with pytest.raises(json.JSONDecodeError):
        await sandbox.get_info()


async def test_one_that_vanishes_has_no_files_and_is_known_to_nobody(sandbox: AsyncSandbox, e2b: E2B) -> None:
    e2b.order("vanish", sandbox.sandbox_id)
    with pytest.raises(SandboxNotFoundException):
        await AsyncSandbox.connect(sandbox.sandbox_id, **e2b.options)
    assert not await sandbox.kill()
    assert sandbox.sandbox_id not in [s["id"] for s in e2b.sandboxes()]


async def test_the_log_has_every_request_and_no_secret_of_the_api(sandbox: AsyncSandbox, e2b: E2B) -> None:
    await sandbox.commands.run("true", envs={"GIVEN": CANARY}, timeout=0)
    await sandbox.files.write("file", "text")
    await sandbox.update_network({"deny_out": ["0.0.0.0/0"]})
    (started,) = e2b.requests("/process.Process/Start", sandbox.sandbox_id)
    assert started["body"]["process"]["envs"] == {"GIVEN": CANARY}
    assert started["status"] == 200
    (uploaded,) = e2b.requests("/files", sandbox.sandbox_id)
    assert uploaded["body"] == [{"path": "/home/user/file", "size": 4}]
    (network,) = e2b.requests("/network", sandbox.sandbox_id)
    assert (network["method"], network["body"]) == ("PUT", {"denyOut": ["0.0.0.0/0"]})
    everything = json.dumps(e2b.requests())
    assert e2b.key not in everything
    assert e2b.sandbox(sandbox.sandbox_id)["api"]["envdAccessToken"] not in everything


async def test_the_report_shows_processes_and_where_the_files_are(create: Create, e2b: E2B) -> None:
    sandbox = await create(metadata={"run": "seen"})
    await sandbox.files.write("/tmp/file", CANARY)
    handle = await sandbox.commands.run("sleep 77 & sleep 300", envs={"GIVEN": CANARY}, background=True, timeout=0)
    await until(lambda: len(e2b.sandboxes(run="seen")[0]["processes"]) == 3)
    (report,) = e2b.sandboxes(run="seen")
    by_pid = {process["pid"]: process for process in report["processes"]}
    assert by_pid[handle.pid]["argv"][:3] == ["/bin/bash", "-l", "-c"]
    assert all(f"GIVEN={CANARY}" in process["environ"] and process["on_the_network"] for process in by_pid.values())
    found = await asyncio.create_subprocess_exec("grep", "-rl", CANARY, report["disk"], stdout=asyncio.subprocess.PIPE)
    assert (await found.communicate())[0].decode() == f"{report['disk']}/tmp/file\n"
    assert report["on_timeout"] == "kill"
    assert report["end_at"] > time.time()


async def test_a_template_that_was_built_can_be_created_from(create: Create, e2b: E2B) -> None:
    assert not await AsyncTemplate.exists("warm", **_api(e2b))
    template = AsyncTemplate().from_base_image().apt_install(["git"]).run_cmd("echo built")
    said: list[str] = []
    built = await AsyncTemplate.build(
        template,
        "warm:v1",
        cpu_count=2,
        memory_mb=1024,
        on_build_logs=lambda entry: said.append(entry.message),
        **_api(e2b),
    )
    assert await AsyncTemplate.exists("warm", **_api(e2b))
    assert any("echo built" in line for line in said)
    (known,) = [t for t in e2b.ask("GET", "templates") if t["name"] == "warm"]
    assert (known["id"], known["asked"]["cpuCount"]) == (built.template_id, 2)
    assert "git" in json.dumps(known["builds"][built.build_id]["steps"])
    assert (await (await create(template="warm:v1")).get_info()).template_id == built.template_id


def _api(e2b: E2B) -> Any:
    return {"api_key": e2b.key, "api_url": e2b.url}
