"""Commands, by E2B's own SDK."""

import asyncio
import json
import os
from typing import Any

import httpx
import pytest
from e2b import AsyncSandbox, CommandExitException, InvalidArgumentException, NotFoundException
from e2b.exceptions import SandboxNotRunningException, SandboxUnreachableException
from e2b.sandbox_async.commands.command_handle import AsyncCommandHandle

from tests.e2b_cloud.conftest import Create
from tests.e2b_cloud.lab import E2B, until


async def run(sandbox: AsyncSandbox, command: str, **asked: Any) -> str:
    result = await sandbox.commands.run(command, timeout=0, **asked)
    return str(result.stdout)


async def begin(sandbox: AsyncSandbox, command: str, **asked: Any) -> AsyncCommandHandle:
    handle: AsyncCommandHandle = await sandbox.commands.run(command, background=True, timeout=0, **asked)
    return handle


async def pids(sandbox: AsyncSandbox) -> list[int]:
    return [process.pid for process in await sandbox.commands.list()]


async def idle(sandbox: AsyncSandbox) -> bool:
    return not await pids(sandbox)


async def test_output_comes_by_stream_and_while_it_is_written(sandbox: AsyncSandbox) -> None:
    seen: asyncio.Queue[str] = asyncio.Queue()
    handle = await begin(sandbox, "echo out; echo err >&2; read line; echo got $line", stdin=True, on_stdout=seen.put)
    assert await seen.get() == "out\n"
    await handle.send_stdin("input\n")
    result = await handle.wait()
    assert (result.stdout, result.stderr, result.exit_code) == ("out\ngot input\n", "err\n", 0)


@pytest.mark.parametrize(
    ("command", "code", "error"),
    [
        ("exit 3", 3, "exit status 3"),
        ("kill -9 $$", -1, "signal: killed"),
        ("kill $$", -1, "signal: terminated"),
        ("nothing-like-it", 127, "exit status 127"),
    ],
)
async def test_how_a_command_failed(sandbox: AsyncSandbox, command: str, code: int, error: str) -> None:
    with pytest.raises(CommandExitException) as failed:
        await run(sandbox, command)
    assert (failed.value.exit_code, failed.value.error) == (code, error)


async def test_every_command_is_a_login_shell_of_the_user_at_home_with_little_around_it(create: Create) -> None:
    sandbox = await create(envs={"SHARED": "1", "BOTH": "sandbox"})
    said = await run(
        sandbox, "shopt -q login_shell; echo $? $PWD $(id -u); env | sort", envs={"BOTH": "call", "OWN": "2"}
    )
    first, *env = said.splitlines()
    assert first == "0 /home/user 1000"
    names = {line.partition("=")[0]: line.partition("=")[2] for line in env}
    assert names.keys() == {
        *("PATH", "HOME", "USER", "LOGNAME", "PWD", "SHLVL", "_", "E2B_SANDBOX", "E2B_SANDBOX_ID", "E2B_TEMPLATE_ID"),
        *("SHARED", "BOTH", "OWN"),
    }
    assert (names["BOTH"], names["OWN"], names["E2B_SANDBOX_ID"]) == ("call", "2", sandbox.sandbox_id)


async def test_a_folder_that_is_not_there_is_said_so(sandbox: AsyncSandbox) -> None:
    assert await run(sandbox, "pwd", cwd="/tmp") == "/tmp\n"
    with pytest.raises(InvalidArgumentException, match="cwd '/nowhere' does not exist"):
        await run(sandbox, "pwd", cwd="/nowhere")


async def test_large_output_comes_whole(sandbox: AsyncSandbox) -> None:
    sizes: list[int] = []
    command = "head -c 20000000 /dev/zero | tr '\\0' x"
    await sandbox.commands.run(command, timeout=0, retain_output=False, on_stdout=lambda text: sizes.append(len(text)))
    assert sum(sizes) == 20_000_000


async def test_stdin_ends_when_it_is_closed_and_takes_what_is_streamed_in(sandbox: AsyncSandbox) -> None:
    handle = await begin(sandbox, "cat", stdin=True)
    async with sandbox.commands.stream_input(handle.pid) as stdin:
        await stdin.send("one ")
        await stdin.send("two")
    await handle.close_stdin()
    assert (await handle.wait()).stdout == "one two"


async def test_kill_ends_the_leader_and_leaves_its_children(sandbox: AsyncSandbox) -> None:
    handle = await begin(sandbox, "sleep 300 & echo $!; wait")
    await until(lambda: handle.stdout)
    assert await handle.kill()
    with pytest.raises(CommandExitException) as killed:
        await handle.wait()
    assert killed.value.error == "signal: killed"
    assert await run(sandbox, f"ps -o args= -p {handle.stdout}") == "sleep 300\n"
    assert await pids(sandbox) == []
    assert not await sandbox.commands.kill(handle.pid)


async def test_a_command_is_not_over_while_a_child_has_its_output_open(sandbox: AsyncSandbox) -> None:
    await run(sandbox, "mkfifo go")
    handle = await begin(sandbox, "(read line < go; echo late) & echo early; exit 4")
    await until(lambda: handle.stdout)
    assert await pids(sandbox) == [handle.pid]
    await run(sandbox, "echo > go")
    with pytest.raises(CommandExitException) as failed:
        await handle.wait()
    assert (failed.value.exit_code, failed.value.stdout) == (4, "early\nlate\n")


async def test_a_client_that_comes_later_gets_only_what_comes_later(sandbox: AsyncSandbox) -> None:
    await run(sandbox, "mkfifo go")
    handle = await begin(sandbox, "echo early; read line < go; echo late; exit 5")
    await until(lambda: handle.stdout)
    await handle.disconnect()
    (found,) = await sandbox.commands.list()
    assert (found.pid, found.cmd, found.args[:2]) == (handle.pid, "/bin/bash", ["-l", "-c"])
    again = await sandbox.commands.connect(handle.pid, timeout=0)
    await run(sandbox, "echo > go")
    with pytest.raises(CommandExitException) as failed:
        await again.wait()
    assert (failed.value.exit_code, failed.value.stdout) == (5, "late\n")


async def test_an_exit_code_can_be_had_for_a_while_after_the_end(sandbox: AsyncSandbox) -> None:
    handle = await begin(sandbox, "echo lost; exit 6")
    await handle.disconnect()
    await until(lambda: idle(sandbox))
    with pytest.raises(CommandExitException) as failed:
        await (await sandbox.commands.connect(handle.pid, timeout=0)).wait()
    assert (failed.value.exit_code, failed.value.stdout) == (6, "")
    with pytest.raises(NotFoundException, match="process with pid 99999 not found"):
        await sandbox.commands.connect(99999, timeout=0)


def start_request(e2b: E2B, sandbox: AsyncSandbox, *argv: str, **headers: str) -> httpx.Request:
    """As any client sends it, the SDK or not."""
    token = e2b.sandbox(sandbox.sandbox_id)["api"]["envdAccessToken"]
    message = json.dumps({"process": {"cmd": argv[0], "args": argv[1:]}, "stdin": False}).encode()
    framed = b"\0" + len(message).to_bytes(4, "big") + message
    known = {"E2b-Sandbox-Id": sandbox.sandbox_id, "X-Access-Token": token, "Content-Type": "application/connect+json"}
    return e2b.http.build_request("POST", "/process.Process/Start", content=framed, headers={**known, **headers})


async def test_the_clients_time_limit_ends_the_command(sandbox: AsyncSandbox, e2b: E2B) -> None:
    request = start_request(e2b, sandbox, "/bin/sleep", "300", **{"Connect-Timeout-Ms": "200"})
    reply = await asyncio.to_thread(e2b.http.send, request)
    assert b'"code": "deadline_exceeded"' in reply.content
    await until(lambda: idle(sandbox))


async def test_a_dropped_stream_leaves_the_command_running(sandbox: AsyncSandbox, e2b: E2B) -> None:
    handle = await begin(sandbox, "sleep 300")
    e2b.order("drop", sandbox.sandbox_id)
    with pytest.raises(Exception) as dropped:  # noqa: PT011 what the SDK makes of it is not one type
        await handle.wait()
    assert not isinstance(dropped.value, SandboxNotRunningException | CommandExitException)
    assert await pids(sandbox) == [handle.pid]


async def test_a_sandbox_that_ends_takes_its_commands_with_it(sandbox: AsyncSandbox, e2b: E2B) -> None:
    handle = await begin(sandbox, "sleep 300")
    (report,) = [s for s in e2b.sandboxes() if s["id"] == sandbox.sandbox_id]
    e2b.order("vanish", sandbox.sandbox_id)
    with pytest.raises(SandboxNotRunningException):
        await handle.wait()
    with pytest.raises(SandboxNotRunningException, match="The sandbox was not found"):
        await run(sandbox, "true")
    hosts = {str(process["host_pid"]) for process in report["processes"]}
    assert hosts
    assert not hosts & {*os.listdir("/proc")}


async def test_a_proxy_that_has_trouble_is_no_end_of_the_sandbox(sandbox: AsyncSandbox, e2b: E2B) -> None:
    e2b.fault("/process.Process/Start", status=502, body={"message": "The sandbox is running but port is not open"})
    with pytest.raises(SandboxUnreachableException):
        await run(sandbox, "true")
    assert await run(sandbox, "echo again") == "again\n"


async def test_commands_see_one_another_and_nothing_of_the_host(sandbox: AsyncSandbox) -> None:
    handle = await begin(sandbox, "sleep 301")
    seen = await run(sandbox, "ps -eo args=; ls /home")
    assert "sleep 301" in seen
    assert "pytest" not in seen
    assert seen.endswith("user\n")
    assert await handle.kill()


async def test_many_at_once_while_other_clients_leave_in_the_middle(sandbox: AsyncSandbox, e2b: E2B) -> None:
    request = start_request(e2b, sandbox, "/bin/true")
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())

    async def hasty(seconds: float) -> None:
        _, writer = await asyncio.open_connection(request.url.host, request.url.port)
        writer.write(f"POST {request.url.path} HTTP/1.1\r\n{head}\r\n".encode() + request.content)
        await asyncio.sleep(seconds)
        writer.transport.abort()

    patient = (run(sandbox, f"cat <<< {n}") for n in range(15))
    said, _ = await asyncio.gather(asyncio.gather(*patient), asyncio.gather(*(hasty(n / 1000) for n in range(15))))
    assert said == [f"{n}\n" for n in range(15)]
    await until(lambda: idle(sandbox))
