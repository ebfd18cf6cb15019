"""The command line as somebody at a terminal meets it."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.command import ROOT, backspace, start
from tests.e2e.lab import bash, until

BREAK = {"name": "write", "input": {"path": "larder/units.py", "content": "broken = True\n"}}


def test_help_names_the_commands(tmp_path: Path) -> None:
    done = backspace("--help", cwd=tmp_path)
    assert done.returncode == 0
    for command in ("serve", "run", "demo", "doctor", "template"):
        assert f" {command} " in done.stdout


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    done = backspace("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"backspace {metadata.version('backspace-agent')}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dmeo"], "No such command 'dmeo'"),
        (["demo", "--projekt", "x"], "No such option: --projekt"),
        (["demo", "--prompt", "x"], "--prompt lets the real model work: set ANTHROPIC_API_KEY."),
        (["demo", "--project", "nonsense"], "--project takes NAME==VERSION, such as pyflakes==3.3.1; it got 'nonsense'."),
        (["demo", "--project", "nonsense==1"], "There is no script for nonsense==1; there is one for pyflakes==3.3.1"),
    ],
)  # fmt: skip
def test_what_was_asked_wrongly_is_said_at_once(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = backspace(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def copy(folder: Path, *turns: dict[str, Any]) -> Path:
    """The product with another script for its own project: the folder to import it from."""
    shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "app/simulator/projects/larder/script.json").write_text(json.dumps({"turns": turns}))
    return folder


def processes(mark: str) -> list[str]:
    """Command lines and folders of the processes that have to do with `mark`, ours left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode() + os.readlink(process / "cwd")
        except OSError:
            continue
        if mark in told and int(process.name) != os.getpid():
            found.append(told)
    return found


def test_the_demo_fails_when_its_checks_do(tmp_path: Path) -> None:
    code = copy(tmp_path / "code", {"tools": [BREAK]}, *({"text": "It is done."} for _ in range(4)))
    done = backspace("demo", "--work", str(tmp_path / "work"), cwd=tmp_path, code=code)
    assert done.returncode == 1, done.stderr
    assert "(draft)" in done.stdout
    assert "■ draft" in done.stdout
    assert processes(str(tmp_path)) == []


End = Callable[["subprocess.Popen[str]"], tuple[int, str, str]]


def interrupted(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Ctrl-C: the terminal tells every process of the group."""
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def terminated(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """As a service manager ends it: one process is told."""
    process.terminate()
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize("end", [interrupted, terminated])
def test_the_middle_of_the_demo_is_no_place_to_leave_anything_behind(tmp_path: Path, end: End) -> None:
    code = copy(tmp_path / "code", {"tools": [bash("touch began; sleep 3141", seconds=600)]})
    work = tmp_path / "work"
    with start("demo", "--work", str(work), cwd=tmp_path, code=code) as process:
        until(lambda: list(work.glob("sandboxes/*/home/repo/began")), what="the command")
        returncode, out, err = end(process)
    assert returncode not in (0, 1)
    assert "Traceback" not in out + err
    until(lambda: not processes(str(tmp_path)), 10, "the end of the last process")
    assert not processes("sleep 3141")


def test_the_demo_keeps_its_servers_until_ctrl_c(tmp_path: Path) -> None:
    code = copy(tmp_path / "code", {"text": "There is nothing to do."})
    with start("demo", "--keep", "--work", str(tmp_path / "work"), cwd=tmp_path, code=code) as process:
        assert process.stdout
        shown = []
        for line in process.stdout:
            shown.append(line)
            if "Ctrl-C" in line:
                break
        assert len(processes(str(tmp_path / "work"))) >= 2
        returncode, _, err = interrupted(process)
    assert "Traceback" not in err
    assert returncode == 1, "no pull request, no success"
    assert any("/code/c-" in line for line in shown)
    until(lambda: not processes(str(tmp_path)), 10, "the end of the last process")
