"""What everything above the sandbox counts on, whichever sandbox it is."""

import asyncio
import hashlib
import pickle
import subprocess
import sys
import time
import uuid
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sandbox.base import Call, Sandbox, Sandboxes, SandboxGone, WarmGone
from tests.sandbox.conftest import Shell
from tests.sandbox.hands import LONG, bash, until_begun

CLIENT = """
import asyncio, pickle, sys
from app.sandbox.base import Call

async def main():
    sandboxes, run, command = pickle.load(sys.stdin.buffer)
    sandbox = await sandboxes.create(run)
    await sandbox.run(Call("work/1/0", ("bash", "-c", command), 30))

asyncio.run(main())
"""
NAMES = ("a b", "-rf", "line\nend", "café", "cafe\u0301", "'\"$(x)`\\*?", "\udcff\udcfe", ".hidden", "n" * 255)
"""One of them is no UTF-8."""


async def test_streams_and_exit_code_come_back(shell: Shell) -> None:
    result = await shell("echo out; echo err >&2; exit 3")
    assert (result.ended, result.exit_code) == ("exited", 3)
    assert (result.stdout.head, result.stderr.head) == (b"out\n", b"err\n")
    assert result.stdout.whole
    assert result.stdout.tail == b""


async def test_a_signal_is_128_and_its_number(shell: Shell) -> None:
    assert (await shell("kill -TERM $$")).exit_code == 143


async def test_a_command_that_is_not_there_is_no_error_of_ours(sandbox: Sandbox) -> None:
    result = await sandbox.run(Call("missing", ("no-such-command",), 10))
    assert result.ended == "exited"
    assert result.exit_code != 0
    assert b"no-such-command" in result.stderr.head


async def test_stdin_of_any_size_and_kind_arrives(sandbox: Sandbox) -> None:
    data = bytes(range(256)) * 20_000
    result = await sandbox.run(Call("in", ("sha256sum",), 20, stdin=data))
    assert result.stdout.head.split()[0].decode() == hashlib.sha256(data).hexdigest()


async def test_without_stdin_a_command_that_reads_ends(shell: Shell) -> None:
    assert (await shell("cat; read x; echo done", seconds=5)).stdout.head == b"done\n"


async def test_environment_and_directory(sandbox: Sandbox) -> None:
    call = Call("env", ("sh", "-c", 'pwd; echo "$GREETING"; cd; pwd'), 10, env={"GREETING": "a b\n'c'"})
    assert (await sandbox.run(call)).stdout.head.decode() == f"{sandbox.repo}\na b\n'c'\n{sandbox.home}\n"
    assert (await sandbox.run(Call("cwd", ("pwd",), 10, cwd="/"))).stdout.head == b"/\n"
    assert b"GREETING" not in (await sandbox.run(Call("env2", ("env",), 10))).stdout.head


async def test_files_stay_between_commands(shell: Shell) -> None:
    await shell("echo kept > file; echo also > ~/above; echo too > $TMPDIR/there")
    assert (await shell("cat file ~/above $TMPDIR/there")).stdout.head == b"kept\nalso\ntoo\n"


async def test_files_of_any_name_and_any_bytes_come_back(sandbox: Sandbox) -> None:
    data = bytes(range(256)) * 1000
    write = "import sys; data = sys.stdin.buffer.read(); [open(name, 'wb').write(data) for name in sys.argv[1:]]"
    assert (await sandbox.run(Call("write", ("python3", "-c", write, *NAMES), 20, stdin=data))).exit_code == 0
    look = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(sorted(os.listdir(b'.'))))"
    listed = (await sandbox.run(Call("look", ("python3", "-c", look), 20))).stdout.head
    assert listed.split(b"\0") == sorted(name.encode(errors="surrogateescape") for name in NAMES)
    read = await sandbox.run(Call("read", ("cat", "--", *NAMES), 20, keep=8 << 20))
    assert read.stdout.head == data * len(NAMES)


async def test_links_are_links(sandbox: Sandbox, shell: Shell) -> None:
    await shell("mkdir d; echo in > d/f; ln -s d to; ln -s nowhere dangling; ln -s loop loop")
    seen = await shell("readlink to dangling loop; cat to/f; cat dangling || cat loop || echo neither")
    assert seen.stdout.head == b"d\nnowhere\nloop\nin\nneither\n"
    assert (await sandbox.run(Call("there", ("cat", "f"), 20, cwd=f"{sandbox.repo}/to"))).stdout.head == b"in\n"
    assert (await shell("rm -rf to; cat d/f")).stdout.head == b"in\n"


async def test_python_and_git_are_there(shell: Shell) -> None:
    result = await shell(
        "python -c 'import ssl, sqlite3; print(1)'; python3 -m venv --without-pip v; v/bin/python -c 'print(2)'; git --version"
    )
    assert result.stdout.head.startswith(b"1\n2\ngit version")


async def test_the_deadline_ends_everything(shell: Shell) -> None:
    """RT-S07"""
    tree = "(while :; do echo x >> beat; sleep 0.02; done) & setsid sh -c 'while :; do echo x >> beat; sleep 0.02; done' & wait"
    result = await shell(tree, seconds=0.5)
    assert (result.ended, result.exit_code) == ("deadline", None)
    await nothing_beats(shell)


async def test_what_a_command_leaves_behind_ends_with_it(shell: Shell) -> None:
    """RT-S07: a daemon that holds the output open neither hangs the call nor lives on."""
    daemon = "setsid sh -c 'while :; do echo x >> beat; echo beat; sleep 0.02; done' & sleep 0.1; echo mine"
    result = await shell(daemon, seconds=20)
    assert result.ended == "exited"
    assert result.seconds < 10
    assert b"mine\n" in result.stdout.head
    await nothing_beats(shell)


async def nothing_beats(shell: Shell) -> None:
    before, after = [(await shell("wc -c < beat; sleep 0.1")).stdout.head for _ in range(2)]
    assert before == after


async def test_long_output_is_head_and_tail_and_the_whole_in_a_file(sandbox: Sandbox, shell: Shell) -> None:
    result = await sandbox.run(Call("long", ("bash", "-c", "seq 1500000; seq 3 >&2"), 60, keep=1000))
    out = result.stdout
    assert out.size > 10_000_000
    assert out.head.startswith(b"1\n2\n")
    assert out.tail.endswith(b"1499999\n1500000\n")
    assert len(out.head) + len(out.tail) == 1000
    assert not out.whole
    assert result.stderr.head == b"1\n2\n3\n"
    assert (await shell(f"wc -l < {out.path}")).stdout.head == b"1500000\n"


async def test_output_without_end_is_bounded(shell: Shell) -> None:
    """RT-S07"""
    result = await shell("yes", seconds=1)
    assert result.ended == "deadline"
    assert result.stdout.size > 64 << 20
    assert result.stdout.tail.endswith(b"y\n")
    assert int((await shell(f"stat -c %s {result.stdout.path}")).stdout.head) == 64 << 20


async def test_the_end_of_output_beyond_the_file_is_kept(shell: Shell) -> None:
    result = await shell("head -c 70000000 /dev/zero; echo the end")
    assert result.stdout.size == 70_000_008
    assert result.stdout.tail.endswith(b"\0the end\n")


async def test_binary_output_is_untouched(shell: Shell) -> None:
    result = await shell(r"printf '\x00\xff\r\n\x1b[0m'")
    assert result.stdout.head == b"\x00\xff\r\n\x1b[0m"


async def test_the_same_key_runs_once(shell: Shell) -> None:
    first = await shell("echo x >> ran; wc -l < ran", key="work/3/0")
    assert await shell("echo x >> ran; wc -l < ran", key="work/3/0") == first
    assert (await shell("wc -l < ran")).stdout.head == b"1\n"


async def test_the_same_key_at_the_same_time_runs_once(shell: Shell) -> None:
    results = await asyncio.gather(*(shell("echo x >> ran; sleep 0.2; wc -l < ran", key="work/3/1") for _ in range(6)))
    assert {result.stdout.head for result in results} == {b"1\n"}


async def test_keys_that_look_alike_are_different(shell: Shell) -> None:
    keys = ["a/b", "a.b", "a-b", "a_b", "ab", "A/b", "a/b/", "/a/b"]
    outputs = [(await shell(f"echo {n}", key=key)).stdout.head for n, key in enumerate(keys)]
    assert outputs == [b"%d\n" % n for n in range(len(keys))]


@pytest.mark.parametrize("key", ["", ".", "..", "a b", "a\n", "é", "a\0", "x" * 201])
async def test_other_keys_are_refused(sandbox: Sandbox, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await sandbox.run(Call(key, ("true",), 5))


async def test_commands_run_at_the_same_time(shell: Shell) -> None:
    """Each waits for a file that another one makes."""
    ring = [f"touch r{n}; until [ -e r{(n + 1) % 4} ]; do sleep 0.02; done" for n in range(4)]
    assert {r.exit_code for r in await asyncio.gather(*(shell(command) for command in ring))} == {0}


async def test_stop_ends_the_whole_tree(sandbox: Sandbox, shell: Shell) -> None:
    command = "setsid sh -c 'while :; do echo x >> beat; sleep 0.02; done' & sleep 60"
    running = asyncio.create_task(shell(command, seconds=60, key="long"))
    while (await shell("test -e beat")).exit_code != 0:
        pass
    await sandbox.stop("long")
    assert (await running).ended == "stopped"
    await nothing_beats(shell)


async def test_stop_of_what_is_over_or_unknown_does_nothing(sandbox: Sandbox, shell: Shell) -> None:
    first = await shell("echo 1", key="over")
    await sandbox.stop("over")
    await sandbox.stop("unknown")
    assert await shell("", key="over") == first
    assert (await shell("echo 2", key="unknown")).stdout.head == b"2\n"


async def test_cancelling_the_wait_leaves_the_command_running(shell: Shell) -> None:
    command = "sleep 0.3; echo x >> ran; echo end"
    waiting = asyncio.create_task(shell(command, key="slow"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (await shell(command, key="slow")).stdout.head == b"end\n"
    assert (await shell("cat ran")).stdout.head == b"x\n"


async def test_a_command_outlives_the_server_that_started_it(sandboxes: Sandboxes, run: str) -> None:
    """FL-K05: after kill -9 whoever asks for the call gets the whole of it, once."""
    given = pickle.dumps((sandboxes, run, LONG))
    client = await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, stdin=subprocess.PIPE)
    assert client.stdin
    client.stdin.write(given)
    client.stdin.close()
    sandbox = await sandboxes.create(run)
    await until_begun(sandbox)
    client.kill()
    await client.wait()
    waiting = [asyncio.create_task(bash(sandbox, "echo never", "work/1/0")) for _ in range(2)]
    await bash(sandbox, "touch go")
    first, second = await asyncio.gather(*waiting)
    assert first == second
    assert (first.ended, first.exit_code, first.stdout.head) == ("exited", 0, b"first\nlast\n")
    assert (await bash(sandbox, "cat ran")).stdout.head == b"x\n"
    assert await sandboxes.runs() == {sandbox.id: run}
    await sandbox.kill()


async def test_one_that_nobody_asked_for_long_is_as_it_was(
    sandboxes: Sandboxes, run: str, rest: Callable[[Sandbox], None]
) -> None:
    sandbox = await sandboxes.create(run)
    first = await bash(sandbox, "echo kept > file; echo 1", "work/1/0")
    rest(sandbox)
    again = await sandboxes.create(run)
    assert again.id == sandbox.id
    assert await bash(again, "echo 2", "work/1/0") == first
    rest(sandbox)
    assert (await bash(sandbox, "cat file")).stdout.head == b"kept\n"
    await sandbox.kill()


async def test_create_is_once_for_a_run(sandboxes: Sandboxes, run: str) -> None:
    """FL-K03"""
    made = await asyncio.gather(*(sandboxes.create(run) for _ in range(5)))
    other = await sandboxes.create(f"{run}/2")
    assert len({sandbox.id for sandbox in made}) == 1
    assert other.id != made[0].id
    assert await sandboxes.runs() == {made[0].id: run, other.id: f"{run}/2"}
    await asyncio.gather(made[0].kill(), other.kill())
    assert await sandboxes.runs() == {}


async def test_a_killed_sandbox_is_gone(sandboxes: Sandboxes, run: str) -> None:
    sandbox = await sandboxes.create(run)
    running = asyncio.create_task(sandbox.run(Call("long", ("sleep", "60"), 60)))
    await sandbox.run(Call("deep", ("bash", "-c", "for i in $(seq 300); do mkdir d; cd d; done; chmod 000 ."), 20))
    began = time.monotonic()
    await sandbox.kill()
    assert time.monotonic() - began < 20
    with pytest.raises(SandboxGone):
        await running
    with pytest.raises(SandboxGone):
        await sandbox.run(Call("more", ("true",), 5))
    with pytest.raises(SandboxGone):
        await sandboxes.connect(sandbox.id)
    await sandbox.kill()


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "no-such", "a/b"])
async def test_connect_to_what_is_not_there(sandboxes: Sandboxes, name: str) -> None:
    with pytest.raises(SandboxGone):
        await sandboxes.connect(name)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=60))
async def test_any_word_passes_as_one_argument(sandbox: Sandbox, word: str) -> None:
    key = hashlib.sha256(word.encode()).hexdigest()
    assert (await sandbox.run(Call(key, ("printf", "%s", word), 10))).stdout.head == word.encode()


async def test_a_kept_state_is_where_a_new_sandbox_begins(sandboxes: Sandboxes, sandbox: Sandbox, shell: Shell) -> None:
    """Files alone: a call is new in it under any key. Where nothing can be kept, a new one begins with nothing."""
    await shell("echo 1 > ~/number; echo $BACKSPACE_OUTPUT", key="prepare/1")
    warm = await sandbox.keep("contract")
    await shell("echo 2 > ~/number")
    fresh = await sandboxes.create(f"c-1-{uuid.uuid4().hex}/1", warm)
    look = Call("prepare/1", ("sh", "-c", "cat ~/number; ls $BACKSPACE_OUTPUT"), 20)
    assert (await fresh.run(look)).stdout.head == (b"1\nprepare+1\n" if warm else b"prepare+1\n")
    await fresh.kill()
    if warm:
        await sandboxes.forget(warm)
        await sandboxes.forget(warm)
        with pytest.raises(WarmGone):
            await sandboxes.create(f"c-1-{uuid.uuid4().hex}/1", warm)
