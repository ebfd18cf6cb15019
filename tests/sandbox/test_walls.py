"""The local sandbox from inside: a hostile script tries what it can think of, and every attempt is in vain."""

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.sandbox import bubblewrap, keeper, seccomp
from app.sandbox.base import Call
from app.sandbox.local import LocalSandbox, LocalSandboxes

SCRIPT = Path(__file__).with_name("hostile.py").read_bytes()
LIMITS = dict(keeper.LIMITS)
ADD_KEY, KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
SERVER = f"""
import asyncio, ctypes, sys
from pathlib import Path
from app.sandbox.base import Call
from app.sandbox.local import LocalSandboxes

libc = ctypes.CDLL(None)
libc.syscall({KEYCTL}, 1, None)  # a session keyring of our own, with a key in it: where the machine lets us
libc.syscall({ADD_KEY}, b"user", b"canary", b"the canary", 10, -3)

async def main():
    sandbox = await LocalSandboxes(Path(sys.argv[1])).create("run")
    call = Call("k", ("python3", "-", sys.argv[2]), 60, stdin=sys.stdin.buffer.read(), keep=1 << 20)
    print((await sandbox.run(call)).stdout.head.decode())
    await sandbox.kill()

asyncio.run(main())
"""


@pytest.fixture
async def walled(tmp_path: Path) -> AsyncIterator[LocalSandbox]:
    sandbox = await LocalSandboxes(tmp_path / "sandboxes").create("c-1-2/1")
    yield sandbox
    await sandbox.kill()


@pytest.fixture
def attempts(tmp_path: Path) -> dict[str, str]:
    """What the script got, beside a server with files, sockets, a key and another run."""
    secret, other, unix = tmp_path / "secret", tmp_path / "sandboxes/other/home/file", tmp_path / "socket"
    other.parent.mkdir(parents=True)
    for file in (secret, other):
        file.write_text("the canary")
    abstract = f"backspace-{os.getpid()}"
    with ExitStack() as open_sockets:
        for address in ("\0" + abstract, str(unix)):
            open_sockets.enter_context(listening(socket.AF_UNIX, address))
        port = open_sockets.enter_context(listening(socket.AF_INET, ("127.0.0.1", 0))).getsockname()[1]
        host = {
            "port": port, "address": own_address(), "abstract": abstract, "socket": str(unix), "file": str(secret), "other run": str(other),
            "pid": os.getpid(), "home": str(Path.home()), "key": "canary", "output": f"{bubblewrap.OUTPUT}/x",
            "shm": bubblewrap.SHARED_MEMORY, "file size": LIMITS[resource.RLIMIT_FSIZE], "data": LIMITS[resource.RLIMIT_DATA],
        }  # fmt: skip
        argv = [sys.executable, "-c", SERVER, str(tmp_path / "sandboxes"), json.dumps(host)]
        env = os.environ | {"PYTHONPATH": str(Path.cwd()), "ANTHROPIC_API_KEY": "the canary"}
        done = subprocess.run(argv, input=SCRIPT, capture_output=True, env=env, timeout=60)
    assert b"the canary" not in done.stdout
    return dict(json.loads(done.stdout))


def listening(family: int, address: Any) -> socket.socket:
    """Something of the host that answers whoever gets there."""
    found = socket.socket(family)
    found.bind(address)
    found.listen()
    return found


def own_address() -> str:
    """This machine's address on its network. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def test_every_way_out_is_closed(attempts: dict[str, str]) -> None:
    """RT-S01, RT-S02, RT-S10: network, sockets, files, processes, devices, the kernel's settings, rights."""
    assert len(attempts) > 50
    assert {name: said for name, said in attempts.items() if not said.startswith("denied")} == {}


async def test_whoever_kills_everybody_kills_nobody_outside(walled: LocalSandbox) -> None:
    """RT-S07: and how the command ended is known."""
    killed = await walled.run(Call("1", ("bash", "-c", "sleep 100 & kill -9 -1; echo alone"), 20))
    assert (killed.ended, killed.exit_code, killed.stdout.head) == ("exited", 0, b"alone\n")
    assert (await walled.run(Call("2", ("true",), 20))).exit_code == 0


async def test_of_a_storm_of_processes_nobody_is_left(walled: LocalSandbox) -> None:
    """RT-S07: 256 of them, in sessions of their own, deaf to signals that can be ignored."""
    marker = f"STORM={os.getpid()}"
    storm = (
        "import os, signal, time; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]\n"
        "for _ in range(8): os.fork() or os.setsid()\n"
        "time.sleep(1000)"
    )
    result = await walled.run(Call("1", ("env", marker, "python3", "-c", storm), 1.5))
    assert result.ended == "deadline"
    assert left_with(marker.encode()) == []
    assert (await walled.run(Call("2", ("true",), 20))).exit_code == 0


def left_with(marker: bytes) -> list[Path]:
    """The host's processes that have it in their environment."""
    return [process for process in Path("/proc").glob("[0-9]*") if marker in environment(process)]


def environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


async def test_what_needs_the_kernel_still_works_inside(walled: LocalSandbox) -> None:
    """The walls leave room for work: threads, shared memory, terminals, sockets of its own."""
    work = (
        "import multiprocessing, os, socket, tempfile, threading\n"
        "with multiprocessing.Pool(2) as pool: assert pool.map(abs, [-1, 2]) == [1, 2]\n"
        "s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())\n"
        "socket.socketpair(); os.openpty(); open('/dev/null', 'w').write('x'); open('/proc/self/status').read()\n"
        "print('well')"
    )
    result = await walled.run(Call("1", ("python3", "-c", work), 30))
    assert result.stdout.head == b"well\n", result.stderr.head


def test_a_machine_that_the_filter_does_not_know_gets_none() -> None:
    assert len(seccomp.program("x86_64")) == len(seccomp.program("aarch64"))
    assert seccomp.program("x86_64") != seccomp.program("aarch64")
    with pytest.raises(KeyError):
        seccomp.program("riscv64")
