"""What is so of the sandboxes on this machine: their walls, and their life beyond the server's."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.errors import Transient, UserError
from app.sandbox import keeper
from app.sandbox.base import Call, SandboxGone
from app.sandbox.bubblewrap import explain
from app.sandbox.calls import Calls, Command
from app.sandbox.local import Isolation, LocalSandbox, LocalSandboxes, folder_name, furnish
from tests.sandbox.git_server import serve

CLIENT = """
import asyncio, sys
from pathlib import Path
from app.sandbox.base import Call, SandboxGone
from app.sandbox.calls import Calls, Command
from app.sandbox.local import LocalSandboxes

async def main():
    sandbox = await LocalSandboxes(Path(sys.argv[1]), isolation=sys.argv[2]).create("run")
    await sandbox.run(Call("work/1/0", ("bash", "-c", sys.argv[3]), 30))

asyncio.run(main())
"""


@pytest.fixture
async def walled(tmp_path: Path) -> AsyncIterator[LocalSandbox]:
    sandbox = await LocalSandboxes(tmp_path / "sandboxes").create("c-1-2/1")
    yield sandbox
    await sandbox.kill()


async def say(sandbox: LocalSandbox, command: str, *, key: str = "", network: bool = False) -> str:
    argv = ("bash", "-c", f"exec 2>&1; {command}")
    result = await sandbox.run(Call(key or str(hash(command)).strip("-"), argv, 20, network=network))
    return result.stdout.head.decode()


async def test_the_check_passes_here_and_leaves_nothing(tmp_path: Path) -> None:
    sandboxes = LocalSandboxes(tmp_path / "sandboxes")
    await sandboxes.check()
    assert await sandboxes.runs() == {}


async def test_a_machine_that_refuses_is_told_what_to_do() -> None:
    said = explain("bwrap: No permissions to create new namespace")
    assert "kernel.unprivileged_userns_clone" in said
    assert "apparmor_restrict_unprivileged_userns" in said
    assert "BACKSPACE_SANDBOX=unsafe-local" in said


async def test_a_folder_that_commands_could_see_is_refused() -> None:
    with pytest.raises(UserError, match="Commands in the sandbox can read /usr"):
        await LocalSandboxes(Path("/usr/bin/env/backspace")).check()  # below a file: nothing is made there in any case


async def test_nothing_of_the_host_is_in_sight(walled: LocalSandbox, tmp_path: Path) -> None:
    """RT-S10"""
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    for path in (
        secret,
        tmp_path,
        Path.cwd(),
        Path(sys.prefix) / "pyvenv.cfg",
        Path.home() / ".bashrc",
        Path("/etc/shadow"),
    ):
        assert "No such file" in await say(walled, f"ls {path}"), path
    ours = {
        "bin",
        "dev",
        "etc",
        "home",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "opt",
        "output",
        "proc",
        "sbin",
        "tmp",
        "usr",
        "var",
    }
    assert set((await say(walled, "ls /")).split()) <= ours | set(Path(sys.base_prefix).parts[1:2])


async def test_nothing_of_the_servers_environment_is_in_sight(tmp_path: Path) -> None:
    """RT-S01"""
    command = "env; cat /proc/*/environ | tr '\\0' '\\n'"
    root = tmp_path / "sandboxes"
    assert start(root, "bubblewrap", command).wait() == 0
    sandbox = await LocalSandboxes(root).connect(folder_name("run"))
    seen = (await sandbox.run(Call("work/1/0", ("true",), 5))).stdout.head.decode()
    assert "HOME=/home/agent" in seen
    assert "canary" not in seen
    names = {
        line.split("=")[0] for line in (await sandbox.run(Call("env", ("env",), 5))).stdout.head.decode().splitlines()
    }
    ours = {"BACKSPACE_OUTPUT", "HOME", "LANG", "PATH", "PIP_DISABLE_PIP_VERSION_CHECK", "TERM", "TMPDIR"}
    assert names - {"PWD"} == ours
    await sandbox.kill()


async def test_other_runs_are_not_in_sight(walled: LocalSandbox, tmp_path: Path) -> None:
    other = await LocalSandboxes(tmp_path / "sandboxes").create("c-1-3/1")
    await say(other, "echo canary > ~/file; echo canary > /tmp/file")
    assert "canary" not in await say(walled, "cat /tmp/* /home/*/* /home/*/*/* /output/*/*", key="look")
    await other.kill()


async def test_no_process_of_the_host_is_in_sight(walled: LocalSandbox) -> None:
    pids = [int(pid) for pid in (await say(walled, "ls /proc | grep -x '[0-9]*'")).split()]
    assert max(pids) < 10
    assert "No such process" in await say(walled, f"kill -0 {os.getpid()}")


async def test_no_rights_are_left(walled: LocalSandbox) -> None:
    """RT-S10"""
    status = await say(walled, "id -u; grep -E 'NoNewPrivs|CapEff|CapBnd' /proc/self/status")
    assert status.split() == ["1000", "CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    assert "done" not in await say(walled, "unshare -Ur true && echo done")
    for path in ("/usr/x", "/etc/x", "/x", "/output/x", "/opt/backspace/bin/python", f"{sys.base_prefix}/x"):
        assert "Read-only" in await say(walled, f"echo > {path}"), path


async def test_limits_hold_for_files_and_memory(walled: LocalSandbox) -> None:
    """RT-S07"""
    limits = "ulimit -c; ulimit -n; ulimit -f; ulimit -d; ulimit -u"
    assert await say(walled, limits) == "0\n8192\n2097152\n8388608\n4096\n"
    assert "MemoryError" in await say(walled, "python3 -c 'bytearray(9 << 30)'")


async def test_only_a_call_that_asks_reaches_the_network(walled: LocalSandbox, tmp_path: Path) -> None:
    """RT-S02"""
    with serve(tmp_path, "token") as url:
        get = f"python3 -c 'import urllib.request as u; u.urlopen(\"{url}\")'"
        assert "401: Unauthorized" in await say(walled, get, key="with", network=True)
        assert "Connection refused" in await say(walled, get, key="without")
    assert (await say(walled, "cat /proc/net/route")).count("\n") == 1


async def test_packages_come_from_the_folder_and_nowhere_else(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "marker").touch()
    sandbox = await LocalSandboxes(tmp_path / "sandboxes", wheels=wheels).create("run")
    said = await say(sandbox, 'echo $PIP_NO_INDEX; ls "$PIP_FIND_LINKS"; touch "$PIP_FIND_LINKS/x"')
    assert said.startswith("1\nmarker\n")
    assert "Read-only" in said
    await sandbox.kill()


async def test_a_call_whose_end_was_lost_is_not_run_again(walled: LocalSandbox, tmp_path: Path) -> None:
    """FL-K05"""
    folder = tmp_path / "sandboxes" / walled.id
    call = Call("work/1/0", ("bash", "-c", "echo before; echo x >> ran; sleep 60"), 60)
    waiting = asyncio.create_task(walled.run(call))
    await asyncio.to_thread(appears, folder / "home/repo/ran")
    os.kill(keeper_of(folder / "calls/work+1+0/lock"), signal.SIGKILL)
    result = await waiting
    assert (result.ended, result.exit_code, result.stdout.head) == ("interrupted", None, b"before\n")
    assert (await walled.run(call)).ended == "interrupted"
    assert (folder / "home/repo/ran").read_text() == "x\n"


@pytest.mark.parametrize("isolation", ["bubblewrap", "none"])
async def test_who_keeps_a_command_has_nothing_of_the_servers_environment(tmp_path: Path, isolation: Isolation) -> None:
    """RT-S01: it outlives the server, and without walls a command can read what it has."""
    sandbox = await LocalSandboxes(tmp_path, isolation).create("run")
    waiting = asyncio.create_task(sandbox.run(Call("k", ("bash", "-c", "touch begun; sleep 60"), 60)))
    await asyncio.to_thread(appears, tmp_path / sandbox.id / "home/repo/begun")
    keeper_id = keeper_of(tmp_path / sandbox.id / "calls/k/lock")
    assert environment(keeper_id) == b""
    assert b"PATH=" in environment(os.getpid())
    await sandbox.stop("k")
    assert (await waiting).ended == "stopped"


def environment(process: int) -> bytes:
    return Path(f"/proc/{process}/environ").read_bytes()


def start(root: Path, isolation: str, command: str) -> "subprocess.Popen[bytes]":
    """A server of its own that runs one command."""
    env = os.environ | {"ANTHROPIC_API_KEY": "canary-key", "PYTHONPATH": str(Path.cwd())}
    return subprocess.Popen([sys.executable, "-c", CLIENT, str(root), isolation, command], env=env)


def holding(word: bytes, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and word in path.read_bytes()]


def appears(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


def keeper_of(lock: Path) -> int:
    """The process that has the lock open."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if descriptor.readlink() == lock:
                return int(descriptor.parts[2])
        except OSError:
            pass
    raise AssertionError(f"nobody holds {lock}")


async def test_two_servers_that_both_find_nothing_start_it_once(walled: LocalSandbox, tmp_path: Path) -> None:
    """The second keeper comes when the first is over already."""
    folder = tmp_path / "sandboxes" / walled.id
    calls = Calls(folder / "calls", folder / "output", "/output", folder / "gone")
    call = Call("k", ("sh", "-c", "echo x >> ran"), 10)
    for _ in range(2):
        await asyncio.to_thread(calls.start, call, Command(call.argv, {"PATH": os.environ["PATH"]}, str(tmp_path)))
        await walled.run(call)
        await asyncio.to_thread(appears, tmp_path / "ran")
    await asyncio.sleep(0.1)
    assert (tmp_path / "ran").read_text() == "x\n"


async def test_a_request_cut_short_starts_nothing(walled: LocalSandbox, tmp_path: Path) -> None:
    folder = tmp_path / "sandboxes" / walled.id / "calls/k"
    request = f'{{"folder": "{folder}", "stdin": 10}}\nfour'.encode()
    client = await asyncio.create_subprocess_exec(sys.executable, "-IS", keeper.__file__, stdin=subprocess.PIPE)
    await client.communicate(request)
    assert not folder.exists()
    assert (await walled.run(Call("k", ("echo", "1"), 5))).stdout.head == b"1\n"


async def test_the_environment_of_a_call_is_on_no_disk(walled: LocalSandbox, tmp_path: Path) -> None:
    await walled.run(Call("k", ("sh", "-c", "test -n $TOKEN"), 5, env={"TOKEN": "canary-token"}, stdin=b"canary-stdin"))
    assert holding(b"canary", tmp_path) == []


async def test_an_id_is_readable_and_one_for_every_run() -> None:
    runs = ["c-1-2/1", "c-1-2/11", "c-1/2-1", "C-1-2/1", "../../etc", "-", "x" * 300]
    names = [folder_name(run) for run in runs]
    assert len(set(names)) == len(runs)
    assert all(len(name) < 60 and name.strip("abcdefghijklmnopqrstuvwxyz0123456789-") == "" for name in names)
    assert names[0].startswith("c-1-2-1-")


async def test_a_removal_that_was_cut_short_is_finished_by_its_id(tmp_path: Path) -> None:
    """The server was killed behind the first file that a removal makes: nobody can connect any more, and the files are there."""
    sandboxes = LocalSandboxes(tmp_path, isolation="none")
    sandbox = await sandboxes.create("c-1-2.1")
    (tmp_path / sandbox.id / "gone").touch()
    with pytest.raises(SandboxGone):
        await sandboxes.connect(sandbox.id)
    assert list(await sandboxes.runs()) == [sandbox.id]
    await sandboxes.end(sandbox.id)
    assert await sandboxes.runs() == {}


@contextmanager
def at_most(kind: int, value: int) -> Iterator[None]:
    """This process gets no more of it: a machine that has none left says the same."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


async def test_a_machine_that_lacks_something_is_waited_for(tmp_path: Path) -> None:
    sandboxes = LocalSandboxes(tmp_path, isolation="none")
    sandbox = await sandboxes.create("first")
    call = Call("k", ("true",), 5)
    with at_most(resource.RLIMIT_NOFILE, 3):
        with pytest.raises(Transient, match="Waiting for room on this machine: Too many open files"):
            await sandboxes.create("second")
        with pytest.raises(Transient, match="Waiting for room on this machine"):
            await sandbox.run(call)
    assert (await sandboxes.create("second")).id != sandbox.id
    assert (await sandbox.run(call)).exit_code == 0


async def test_nothing_is_left_of_a_sandbox_that_could_not_be_made(tmp_path: Path) -> None:
    with at_most(resource.RLIMIT_FSIZE, 0), pytest.raises(OSError, match="File too large"):
        await LocalSandboxes(tmp_path, isolation="none").create("run")
    assert os.listdir(tmp_path) == []


async def test_a_sandbox_that_was_being_made_when_the_server_was_killed_is_found_and_ended(tmp_path: Path) -> None:
    """It has no name yet that anybody could connect to."""
    sandboxes = LocalSandboxes(tmp_path, isolation="none")
    furnish(tmp_path / ".c-1-2-1-0a1b2c3d", "c-1-2.1")
    ((sandbox_id, run),) = (await sandboxes.runs()).items()
    assert run == "c-1-2.1"
    with pytest.raises(SandboxGone):
        await sandboxes.connect(sandbox_id)
    await sandboxes.end(sandbox_id)
    assert os.listdir(tmp_path) == []
