"""Servers that are started again and again: each is a process of its own, forked from one that has done all imports."""

import multiprocessing
import os
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx

from tests.e2e.lab import Server, until

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["app.__main__", "app.wiring"])


class ForkedServer(Server):
    """As `python -m app serve`, and there in a fraction of the time."""

    forked: BaseProcess | None = None

    def start(self) -> None:
        self.forked = _FORKS.Process(target=_serve, args=(self.home, self.settings), daemon=True)
        self.forked.start()
        until(self._is_there, what="a server that listens")

    def _is_there(self) -> bool:
        assert self.forked
        assert self.forked.is_alive(), self.log[-3000:]
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).is_success
        except httpx.TransportError:
            return False

    def stand_still(self) -> None:
        """Connections to it are made, and nobody answers."""
        assert self.forked
        assert self.forked.pid
        os.kill(self.forked.pid, signal.SIGSTOP)

    def kill(self) -> None:
        assert self.forked
        self.forked.kill()
        self.forked.join()

    def stop(self) -> None:
        if self.forked and self.forked.is_alive():
            self.forked.terminate()
            self.forked.join()


def _serve(home: Path, settings: dict[str, str]) -> None:
    from app.__main__ import main

    os.chdir(home)
    for key in os.environ.keys() - {"PATH", "HOME", "LANG", "PYTHONPATH"}:
        del os.environ[key]
    os.environ.update(settings)
    with (home / "server.log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.argv = ["backspace", "serve"]
    main()
