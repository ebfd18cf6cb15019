"""The folders of runs whose work a process of the command line does, in the user's state folder.

A folder is named by what was asked, so the same command finds what it began. It is removed when its run is over: what is there, and
has no process, was cut off.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import time
from pathlib import Path

from pydantic import ValidationError

from app.core.errors import UserError
from app.core.task import Words
from app.sandbox.local import LocalSandboxes

DAYS = 7
"""After that a run that was cut off and not taken up is forgotten, with its sandbox."""


class Kept(Words):
    """What was asked, in the run's folder."""

    repo: str
    prompt: str
    once: str
    """What makes the task's key, which is never used twice: drawn when it was asked."""
    in_e2b: bool = False
    """Its sandbox is there, else in the folder."""


def of(repo: str, prompt: str, branch: str) -> Path:
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return state / "backspace/runs" / hashlib.sha256("\0".join([repo, prompt, branch]).encode()).hexdigest()[:16]


def keep(folder: Path, repo: str, prompt: str, *, in_e2b: bool) -> tuple[Kept, bool]:
    """What is kept there already, else this; whether it is this. Raises UserError where another process does the same."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        raise UserError(f"XDG_STATE_HOME: {folder} can't be made ({e.strerror}).") from None
    if _busy(folder):
        raise UserError("The same run is going on already, in another process.")
    if found := _kept(folder):
        return found, False
    kept = Kept(repo=repo, prompt=prompt, once=secrets.token_hex(13), in_e2b=in_e2b)
    draft = folder / kept.once
    draft.write_text(kept.model_dump_json())
    try:
        os.link(draft, folder / "run.json")  # whole or not at all, and by one of two who ask in the same instant
    except FileExistsError:
        raise UserError("The same run is going on already, in another process.") from None
    return kept, True


def others(ours: Path) -> dict[Path, Kept | None]:
    """The other runs that were cut off, by their folders; None where a crash left no more than the folder."""
    return {folder: _kept(folder) for folder in sorted(ours.parent.glob("*/")) if folder != ours and not _busy(folder)}


def is_stale(folder: Path) -> bool:
    """Nobody took it up for days."""
    return time.time() - folder.stat().st_mtime > DAYS * 86400


async def forget(folder: Path) -> None:
    """With the sandboxes in it."""
    sandboxes = LocalSandboxes(folder / "sandboxes")
    for sandbox in await sandboxes.runs():
        await sandboxes.end(sandbox)
    remove(folder)


def remove(folder: Path, *, keep_log: bool = False) -> Path | None:
    """Where the log is now, if it is to be kept: the next one that is takes its place."""
    log = folder.parents[1] / "last-failure.log" if keep_log else None
    if log:
        (folder / "log").replace(log)
    shutil.rmtree(folder, ignore_errors=True)
    return log


def _kept(folder: Path) -> Kept | None:
    """None where there is nothing, or no more than a crash left of it."""
    try:
        return Kept.model_validate_json((folder / "run.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _busy(folder: Path) -> bool:
    """A process works there: it holds the lock of the database."""
    try:
        with (folder / "backspace.db.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
