"""Work in a process of its own comes back as if it had been done here."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from app.core.apart import apart


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _say_and_wait(file: str) -> None:
    Path(file).write_text(str(os.getpid()))
    signal.pause()


async def test_it_gives_what_the_work_gives_and_raises_what_it_raises() -> None:
    assert await apart(pow, 2, 100) == 2**100
    with pytest.raises(ValueError, match="invalid literal"):
        await apart(int, "x")
    assert await apart(os.getpid) != os.getpid()


async def test_its_environment_holds_nothing_of_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")
    assert await apart(os.getenv, "ANTHROPIC_API_KEY") is None


async def test_a_process_that_dies_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="_die ended with -9"):
        await apart(_die)


async def test_nobody_waits_for_it_so_it_ends(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    waiting = asyncio.create_task(apart(_say_and_wait, str(file)))
    while not file.exists() or not file.read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    pid = int(file.read_text())
    while Path(f"/proc/{pid}").exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.02)
