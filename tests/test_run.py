"""`backspace run`, as somebody at a terminal meets it: by this process on a folder, and through a server."""

import asyncio
import fcntl
import io
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from rich.console import Console

from app import run_folders
from app.core.errors import Refusal, UserError
from app.core.events import EVENT, Done, Entry, Event
from app.core.redact import Redactor
from app.core.task import Asked
from app.run import EXIT_CODES, Watch, run, tell
from app.run_here import look_at_others, own
from app.run_there import There, there
from app.runs.engine import Engine
from app.sandbox.local import LocalSandboxes
from app.settings import RunAlone, load
from app.wiring import assembled, sandboxes_of
from tests.command import PASSED_ON, ROOT, backspace, start
from tests.e2e.lab import FILES, FIX, Lab, bash, free_port, until
from tests.keys import pem
from tests.runs.test_by_path import state
from tests.runs.test_traces import receiver
from tests.sandbox.git_server import git
from tests.web.desk import ASK, KEYS, PULL, RUN, WORD, Desk, served

PROMPT = "Add the comma"
DONE = {"text": "Greet with a comma\n\nThe greeting now has a comma."}


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A repository of this machine with work in it that is not committed; its name is in what the model is told."""
    path = tmp_path / f"larder-{tmp_path.name}"
    for name, text in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    git(path, "init", "-q")
    git(path, "add", ".")
    git(path, "commit", "-qm", "First")
    (path / "test_greet.py").write_text("half of a thought")
    return path


@pytest.fixture
def settings(lab: Lab, tmp_path: Path) -> Mapping[str, str]:
    """No App, no token: the key for the model alone, and where this user keeps things."""
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Grace\n\temail = grace@example.org\n")
    return {
        "ANTHROPIC_API_KEY": "sk-ant-canary",
        "ANTHROPIC_BASE_URL": f"{lab.url}/anthropic",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def script(lab: Lab, path: Path, *turns: Mapping[str, Any]) -> None:
    lab.call("POST", "/anthropic/_scripts", match=f"local/{path.name}", turns=list(turns))


def branches(path: Path) -> list[str]:
    return git(path, "for-each-ref", "--format=%(refname:short)", "refs/heads/backspace").split()


def leftovers(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "state/backspace/runs").glob("*"))


def test_a_folder_gets_a_branch_and_nothing_else_of_it_changes(
    lab: Lab, theirs: Path, settings: Mapping[str, str], tmp_path: Path
) -> None:
    """RT-R02: nor does what lies there for the programs of agents hold."""
    script(lab, theirs, {"tools": [FIX]}, DONE)
    (theirs / ".env").write_text("BACKSPACE_MODEL=theirs\nBACKSPACE_SANDBOX=nonsense\n")
    (theirs / ".mcp.json").write_text('{"mcpServers": {"theirs": {"command": "touch", "args": ["ran"]}}}\n')
    before = state(theirs)
    done = backspace("run", ".", PROMPT, "--json", cwd=theirs, settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert state(theirs) == before
    (branch,) = branches(theirs)
    assert git(theirs, "diff", "--name-only", "main", branch) == "greet.py"
    assert git(theirs, "show", f"{branch}:greet.py") == 'def greet(name):\n    return f"Hello, {name}!"'
    assert "not included: the work starts from the last commit of main" in done.stderr
    assert f"git -C . show {branch}" in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    ids = [line.pop("id") for line in lines]
    last = [EVENT.validate_python(line) for line in lines][-1]
    assert last == Done(outcome="ready", via="branch")
    assert len(set(ids)) == len(ids)
    assert leftovers(tmp_path) == []


def test_of_an_address_a_pull_request_is_opened_and_the_trace_has_arrived_when_the_command_ends(
    lab: Lab, settings: Mapping[str, str], tmp_path: Path
) -> None:
    person = f"mona-{tmp_path.name}"
    token = lab.call("POST", "/_sim/tokens", user=person)["token"]
    repo = f"theirs-{tmp_path.name}/larder"
    owner, name = repo.split("/")
    lab.call("POST", "/_sim/repos", owner=owner, name=name, files=FILES)
    lab.call("PUT", f"/_sim/repos/{repo}/collaborators/{person}", role="write")
    lab.call("POST", "/anthropic/_scripts", match=repo, turns=[{"tools": [FIX]}, DONE])
    github = {"GITHUB_TOKEN": token, "GITHUB_API_URL": f"{lab.url}/api/v3", "GITHUB_SERVER_URL": lab.url}
    with receiver(refusal=503) as traces:  # so that it is sent again a second later
        traces.go.set()
        sent_to = {"OTEL_EXPORTER_OTLP_ENDPOINT": traces.url}
        done = backspace("run", f"{lab.url}/{repo}", PROMPT, cwd=tmp_path, settings={**settings, **github, **sent_to})
        (trace,) = traces.taken
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{lab.url}/{repo}/pull/" in done.stdout.splitlines()[-1]
    assert repo.encode() in trace[2]
    assert leftovers(tmp_path) == []


def test_ctrl_c_stops_it_and_says_where_the_work_is(
    lab: Lab, theirs: Path, settings: Mapping[str, str], tmp_path: Path
) -> None:
    script(lab, theirs, {"tools": [FIX, bash("touch began; sleep 3141", seconds=600)]}, DONE)
    with start("run", str(theirs), PROMPT, cwd=tmp_path, settings=settings) as process:
        began(tmp_path)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    (branch,) = branches(theirs)
    assert f"The work is on the branch {branch}." in out
    assert 'f"Hello, {name}!"' in git(theirs, "show", f"{branch}:greet.py")
    assert leftovers(tmp_path) == []


def test_what_was_killed_is_taken_up_by_the_same_command(
    lab: Lab, theirs: Path, settings: Mapping[str, str], tmp_path: Path
) -> None:
    """Killed in the middle of a command, which goes on meanwhile and is not run again."""
    script(lab, theirs, {"tools": [FIX, bash("touch began; sleep 3; echo $((6 * 7)) >>answer")]}, DONE)
    with start("run", str(theirs), PROMPT, cwd=tmp_path, settings=settings) as process:
        began(tmp_path)
        process.kill()
        process.communicate()
    done = backspace("run", str(theirs), PROMPT, cwd=tmp_path, settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its run is taken up" in done.stdout
    (branch,) = branches(theirs)
    assert git(theirs, "show", f"{branch}:answer") == "42"
    assert leftovers(tmp_path) == []


def test_of_a_folder_nothing_leaves_this_machine_but_what_the_model_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever servers of the same person are set to do."""
    given = {
        "ANTHROPIC_API_KEY": "sk-ant-canary",
        "BACKSPACE_SANDBOX": "e2b",
        "BACKSPACE_LOCAL_NETWORK": "true",
        "E2B_API_KEY": "e2b_canary",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://traces.example",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://traces.example/v1",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load(env_file=None, kind=RunAlone)
    here, far = own(settings, tmp_path, local=True), own(settings, tmp_path, local=False)
    assert (here.sandbox, here.backspace_local_network, here.trace_endpoint()) == ("local", False, None)
    assert (far.sandbox, far.backspace_local_network, far.trace_endpoint()) == (
        "e2b",
        True,
        "https://traces.example/v1",
    )
    assert here.backspace_data.parent == far.backspace_data.parent == tmp_path


async def test_what_ends_with_its_run_takes_no_comment_and_keeps_nothing_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The App's settings are those of a server of the same person, which has a database of its own."""
    given = {
        "ANTHROPIC_API_KEY": "sk-ant-canary",
        "BACKSPACE_SANDBOX": "local",
        "GITHUB_APP_ID": "1",
        "GITHUB_PRIVATE_KEY": pem(),
        "GITHUB_WEBHOOK_SECRET": "w" * 16,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = own(load(env_file=None, kind=RunAlone), tmp_path, local=False)
    engine = Engine(settings.backspace_database_url, Redactor(()), max_runs=1)
    async with aiohttp.ClientSession() as session:
        work, _ = assembled(settings, engine, sandboxes_of(settings), Redactor(()), session)
    assert (work.intake, work.accesses) == (None, None)
    assert work.desk


def test_a_run_s_folder_is_found_by_what_was_asked_and_has_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder, other = run_folders.of("/larder", PROMPT, ""), run_folders.of("/larder", PROMPT, "fix/it")
    kept, fresh = run_folders.keep(folder, "/larder", PROMPT, in_e2b=False)
    assert fresh
    assert run_folders.keep(folder, "/larder", PROMPT, in_e2b=False) == (kept, False)
    assert run_folders.others(folder) == {}
    assert run_folders.others(other) == {folder: kept}
    with (folder / "backspace.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run_folders.others(other) == {}
        with pytest.raises(UserError, match="going on already"):
            run_folders.keep(folder, "/larder", PROMPT, in_e2b=False)
    (folder / "log").write_text("what went wrong")
    assert run_folders.remove(folder, keep_log=True) == tmp_path / "backspace/last-failure.log"
    assert not folder.exists()


async def test_what_nobody_takes_up_for_a_week_is_forgotten_with_its_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")
    settings = load(env_file=None, kind=RunAlone)
    folder = run_folders.of("/larder", PROMPT, "")
    run_folders.keep(folder, "/larder", PROMPT, in_e2b=False)
    made = await LocalSandboxes(folder / "sandboxes", isolation="none").create("t-1.1")
    assert made.id in os.listdir(folder / "sandboxes")
    other = run_folders.of("/larder", "Other", "")
    await look_at_others(other, settings, said.append)
    assert said == ["A run on /larder was cut off (Add the comma). The same command takes it up, within 7 days."]
    os.utime(folder, times=(0, time.time() - 8 * 86400))
    await look_at_others(other, settings, said.append)
    assert len(said) == 1
    assert os.listdir(folder.parent) == []


def began(tmp_path: Path) -> None:
    until(lambda: list(tmp_path.glob("state/backspace/runs/*/sandboxes/*/home/repo/began")), what="the command")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("git@github.com:o/r.git", "x", "", ""), "git@github.com:o/r.git is no folder of this machine, and no address"),
        ((".", "x", "", ""), ". can't be worked on: git says 'fatal: not a git repository"),
        ((".", "x", "", "https://code.example"), "--server works on repositories that it can reach"),
        (("https://github.com/o/r", "x", "", "code.example"), "--server takes the address of a Backspace server"),
        (("https://github.com/o/r/pulls", "x", "", ""), "repo_url must be the address of a repository"),
        (("https://github.com/o/r", " ", "", ""), "prompt is missing"),
        (("https://github.com/o/r", "x", "-x", ""), "branch must be a plain branch name"),
    ],
)  # fmt: skip
async def test_what_was_asked_wrongly_is_said_before_anything_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, str, str, str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    repo, prompt, branch, server = arguments
    with pytest.raises(UserError) as refused:
        await run(repo, prompt, branch=branch, server=server, key="", json_lines=False)
    assert said in str(refused.value)
    assert os.listdir(tmp_path) == []


def test_every_outcome_has_its_exit_code() -> None:
    assert EXIT_CODES == {"ready": 0, "nothing": 0, "failed": 1, "draft": 3, "stopped": 130}


@pytest.fixture
def said() -> list[str]:
    """What is said to the person meanwhile."""
    return []


async def seen(job: There) -> list[Event]:
    return [entry.event async for entry in job.entries()]


async def test_through_a_server_every_event_comes_once_whatever_happens_to_the_server(said: list[str]) -> None:
    """FL-O06, FL-O07: killed in the middle, and away for a moment."""
    desk, found = Desk(run=RUN[:2]), list[Entry]()
    async with served(desk) as edge, there(edge.url, "", ASK, said.append) as job:
        async for entry in job.entries():
            found.append(entry)
            if len(found) == 3:
                await edge.cut()
                asyncio.get_running_loop().call_later(0.7, asyncio.ensure_future, edge.start())
                for step in RUN[2:]:
                    desk.record("t-1", *step)
    assert [entry.event for entry in found] == [event for step in RUN for event in step]
    assert len({entry.id for entry in found}) == len(found)
    assert len(desk.asked) == 1
    assert len(said) == 1
    assert said[0].startswith(f"No answer from {edge.url}, trying again: ")


@dataclass
class Over:
    """A job that is over, with nothing but a patch to show for it."""

    task: str = "t-1"
    left: str = ""

    async def entries(self) -> AsyncIterator[Entry]:
        yield Entry(id="t-1.1.1.0", at=0, event=Done(outcome="failed", via="patch"))

    async def stop(self) -> None: ...

    async def patch(self) -> bytes | None:
        return b"--- a\n"

    kept = "It can be had again."

    async def close(self) -> None: ...


async def test_where_a_patch_is_all_that_there_is_it_becomes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    watch = Watch(Over(), Console(file=io.StringIO()), said.append, json_lines=True)
    await watch.to_the_end()
    await tell(Over(), watch, "larder", said.append)
    assert said == ["The work is in backspace-t-1.patch: git apply takes it."]
    assert Path("backspace-t-1.patch").read_bytes() == b"--- a\n"  # noqa: ASYNC240
    os.unlink("backspace-t-1.patch")
    os.mkdir("backspace-t-1.patch")
    with pytest.raises(UserError, match="It can be had again"):
        await tell(Over(), watch, "larder", said.append)


class Late(Desk):
    """The task is there for a while before its answer is sent."""

    async def ask(self, asked: Asked) -> str:
        task = await super().ask(asked)
        await asyncio.sleep(0.3)
        return task


async def test_a_task_is_begun_once_although_the_first_answer_was_lost(said: list[str]) -> None:
    desk = Late()
    async with served(desk) as edge, there(edge.url, "", ASK, said.append) as job:
        asking = asyncio.create_task(seen(job))
        while not desk.asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await edge.cut()
        await edge.start()
        assert await asking == [event for step in RUN for event in step]
    assert len(desk.asked) == 1


async def test_a_server_s_refusal_is_one_line(said: list[str]) -> None:
    desk = Desk(broken=Refusal("octo-org/larder is archived: unarchive it first.", 409))
    async with served(desk, keys=KEYS) as edge:
        async with there(edge.url, WORD, ASK, said.append) as job:
            with pytest.raises(UserError, match=r"^octo-org/larder is archived: unarchive it first\.$"):
                await seen(job)
        async with there(edge.url, "wrong", ASK, said.append) as job:
            with pytest.raises(UserError, match="wants one of its keys: set BACKSPACE_API_KEY, or give --key"):
                await seen(job)
    assert said == []


async def test_a_server_that_has_enough_is_not_asked_again(said: list[str]) -> None:
    full = Desk(broken=Refusal("200 tasks of this key are open.", 429))
    async with served(full) as edge, there(edge.url, "", ASK, said.append) as job:
        with pytest.raises(UserError, match=r"^200 tasks of this key are open\.$"):
            await seen(job)
    assert said == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:{port}", "Connection refused"),
        ("https://{edge}", "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
        ("http://no.such.invalid", "known"),
    ],
)
async def test_why_there_is_no_connection_is_said_in_plain_words(said: list[str], url: str, why: str) -> None:
    async with served(Desk()) as edge:
        address = url.format(port=free_port(), edge=edge.url.removeprefix("http://"))
        async with there(address, "", ASK, said.append) as job:
            asking = asyncio.create_task(seen(job))
            while not said:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            asking.cancel()
    assert said[0].startswith(f"No answer from {address}, trying again: ")
    assert why in said[0]
    assert "ssl:" not in said[0]


async def test_stop_and_patch_go_through_the_server_too(said: list[str]) -> None:
    desk = Desk(run=RUN[:1])
    async with served(desk) as edge, there(edge.url, "", ASK, said.append) as job:
        events = job.entries()
        await anext(events)
        assert await job.patch() is None
        await job.stop()
        assert desk.tasks["t-1"].stopped_by == "local"
        desk.tasks["t-1"].patch = b"--- a\n"
        assert await job.patch() == b"--- a\n"
        assert job.left == f"The task goes on: {edge.url}/code/t-1"
        desk.record("t-1", Done(outcome="stopped"))
        assert (await anext(events)).event == Done(outcome="stopped")
        await edge.cut()
        with pytest.raises(UserError, match=f"^The work is at {edge.url}/code/t-1/patch, and can't be had now: "):
            await job.patch()


async def test_the_whole_command_through_a_server(tmp_path: Path) -> None:
    """The prompt comes from standard input; the key from the environment, where no list of processes shows it."""
    async with served(desk := Desk(), keys=KEYS) as edge:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", "run", ASK["repo_url"], "-", "--server", edge.url, "--branch", "fix/it",
            cwd=tmp_path, env={**PASSED_ON, "PYTHONPATH": str(ROOT), "BACKSPACE_API_KEY": WORD},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate(b"Parse\nquantities.\n")
    assert (process.returncode, err) == (0, b"")
    assert out.decode().splitlines()[-1] == PULL
    (asked,) = desk.asked
    assert (asked.prompt, asked.branch, asked.caller) == ("Parse\nquantities.", "fix/it", "ci")


async def test_a_task_whose_end_is_not_heard_is_not_said_never_to_have_begun(tmp_path: Path) -> None:
    """By an exit code of its own: here the server wants a key that it did not want before."""
    async with served(Desk(run=RUN[:2])) as edge:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", "run", ASK["repo_url"], "x", "--server", edge.url,
            cwd=tmp_path, env={**PASSED_ON, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout
        while "larder/quantity.py" not in (await process.stdout.readline()).decode():
            pass
        await edge.cut()
        edge.keys = KEYS
        await edge.start()
        out, _ = await process.communicate()
    assert out.decode().splitlines()[-1] == f"{edge.url} wants one of its keys: set BACKSPACE_API_KEY, or give --key."
    assert process.returncode == 4
