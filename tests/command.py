"""The installed command as an operator runs it: a process of its own, in a folder of its own, with no settings but those given."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
PASSED_ON = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
NONE: Mapping[str, str] = {}


def backspace(
    *arguments: str, cwd: Path, settings: Mapping[str, str] = NONE, code: Path = ROOT, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """`python -m app …`, to its end. `code`: the folder that holds `app`."""
    with start(*arguments, cwd=cwd, settings=settings, code=code) as process:
        out, err = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@contextmanager
def start(
    *arguments: str, cwd: Path, settings: Mapping[str, str] = NONE, code: Path = ROOT
) -> Iterator[subprocess.Popen[str]]:
    """It leads a process group of its own, as it would in a terminal; what is left of it at the end gets Ctrl-C."""
    with subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        cwd=cwd,
        env={**PASSED_ON, "PYTHONPATH": str(code), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)  # so that it cleans up behind itself
