"""Durable execution, seen from outside of the process that does it."""

import json
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

from tests.command import PASSED_ON, ROOT, backspace
from tests.e2e.lab import Server, free_port, until


def engine(folder: Path, times: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.runs.engine_process", str(times)],
        cwd=folder,
        env={**PASSED_ON, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


SECRET = b"a-secret-that-a-server-knows"


def test_twenty_beginnings_at_once_with_one_id_are_one_run(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with engine(tmp_path, 20) as process:
        assert process.wait(30) == 0
    assert (tmp_path / "count").read_text() == "x"
    assert (tmp_path / "said").read_text() == "Git said: [redacted]."


def test_a_failure_is_raised_again_after_a_crash_and_not_tried_again(tmp_path: Path) -> None:
    with engine(tmp_path, 1) as process:
        until(lambda: (tmp_path / "tries").exists())
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        until(lambda: _recorded(tmp_path, "fail"), what="the record of the failure")
        process.kill()
    (tmp_path / "go").touch()
    with engine(tmp_path, 0) as process:
        assert process.wait(30) == 0
    assert not [file.name for file in tmp_path.iterdir() if SECRET in file.read_bytes()]
    assert (tmp_path / "count").read_text() == "x"
    assert (tmp_path / "tries").read_text() == "x"
    assert (tmp_path / "said").read_text() == "Git said: [redacted]."


def test_past_the_queue_goes_a_run_whose_turn_never_came_and_nothing_else(address: str) -> None:
    """What was at work before, or saves what a broken run has left, has work to do: that takes a slot."""
    argv = [sys.executable, "-m", "tests.runs.queue_process", address]
    told = subprocess.run(argv, cwd=ROOT, env=PASSED_ON, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(told.stdout) == ["works.1", "waits.1"]


def _recorded(folder: Path, step: str) -> bool:
    """Read as an operator would, by the file alone."""
    with sqlite3.connect(f"file:{folder}/engine.db?mode=ro", uri=True) as database:
        rows = database.execute("select count(*) from operation_outputs where function_name = ?", (step,))
        return bool(rows.fetchone()[0])


def test_a_second_process_on_the_same_file_says_so_and_ends(server: Server) -> None:
    """FL-K11"""
    done = backspace("serve", cwd=server.home, settings={**server.settings, "PORT": str(free_port())}, seconds=30)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "Another Backspace process uses backspace.db: one SQLite file serves one process.\n"


def test_nobody_else_on_the_machine_can_read_the_database(server: Server) -> None:
    """RT-L03"""
    files = list(server.home.glob("backspace.db*"))
    assert {file.name for file in files} >= {"backspace.db", "backspace.db-wal", "backspace.db.lock"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
