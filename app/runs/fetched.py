"""What is fetched of a repository by the server itself, into an empty one of its own: so no credential comes near a sandbox.

Nothing is checked out and no configuration but ours holds. Where the source is a folder of this machine, git runs no hook of it either.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path

from app.core.errors import Transient, UserError
from app.sandbox import git
from app.sandbox.bundle import Bundle

SECONDS = 300.0
MAX = 200 << 20
"""Bytes of the pack: it is held in memory on its way into the sandbox. (`ulimit -f` counts in 512 bytes.)"""
DEPTH = 50
MISSING = 127
"""What a shell answers for a program that is not there."""
_LIMITED = 'trap "" XFSZ; ulimit -f "$1"; shift; exec git "$@"'
"""The signal ignored, git says that the file is too large instead of dying without a word."""
_INIT = ("init", "-q", "--bare", "--template=")
_FETCH = (
    "-c", "safe.bareRepository=explicit", "-c", "core.hooksPath=/dev/null", "-c", "credential.helper=", "-c", "http.followRedirects=false",
    "-c", "fetch.unpackLimit=1", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "protocol.allow=never",
)  # fmt: skip
# Whose the folder is was git's question to the asker already, under a configuration that does not hold here.
_FOLDER = ("--upload-pack=git -c safe.directory=* upload-pack",)
_OPTIONS = ("--quiet", "--no-tags", "--no-recurse-submodules")


async def fetched(source: str, ref: str, token: str = "", *, depth: int = DEPTH, most: int = MAX) -> Bundle:
    """The last commits up to `ref` (a full name, or a SHA) of an http(s) address, or of the repository in a folder. `most`: bytes.

    Raises UserError where it is not there for us, too large or too slow; Transient.
    """
    remote = source.startswith(("https://", "http://"))
    transports = ("https", "http") if remote else ("file",)
    allowed = [word for transport in transports for word in ("-c", f"protocol.{transport}.allow=always")]
    with tempfile.TemporaryDirectory(prefix="backspace-fetch-") as folder:
        await _git(folder, {}, most, *_INIT)
        env = git.authorized(source, token) if token else {}
        options = (*_OPTIONS, f"--depth={depth}", *(() if remote else _FOLDER))
        await _git(folder, env, most, f"--git-dir={folder}", *_FETCH, *allowed, "fetch", *options, "--", source, ref)
        return await asyncio.to_thread(_read, Path(folder))


def _read(folder: Path) -> Bundle:
    """What the fetch left: it was one pack, for there was nothing before."""
    sha = (folder / "FETCH_HEAD").read_text().split()[0]
    (pack,) = (folder / "objects/pack").glob("*.pack")
    shallow = folder / "shallow"
    cut = tuple(shallow.read_text().split()) if shallow.exists() else ()
    return Bundle(sha=sha, cut=cut, pack=pack.read_bytes())


async def _git(folder: str, env: Mapping[str, str], most: int, *args: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", _LIMITED, "sh", str(most >> 9), *args, cwd=folder, env={**_environment(folder), **env},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            _, said = await process.communicate()
    except TimeoutError:
        raise UserError(
            f"The repository could not be fetched within {SECONDS:.0f} s: it is too large, or the network too slow."
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode:
        raise _failure(said.decode(errors="replace"), process.returncode)


def _environment(folder: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": folder,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }


def _failure(said: str, code: int) -> UserError | Transient:
    """What a failed fetch means, by what git said."""
    if code == MISSING:
        return UserError("git is not installed on the server, which work under GITHUB_TOKEN needs.")
    last = said.strip().splitlines()[-1] if said.strip() else f"exit code {code}"
    if "couldn't find remote ref" in said or "not our ref" in said:
        return UserError(f"The repository does not have what was asked for any more: {last}.")
    if any(words in said for words in ("File too large", "No space left")):
        return UserError(f"The repository is too large: more than {MAX >> 20} MB in its last {DEPTH} commits.")
    refused = (
        "not found",
        "Authentication failed",
        "could not read Username",
        "error: 401",
        "error: 403",
        "error: 404",
    )
    if any(words in said for words in refused):
        return UserError("The repository can't be read: it is gone, or GITHUB_TOKEN has no access to it.")
    if "not allowed" in said or "error: 30" in said or "does not appear to be a git repository" in said:
        return UserError(f"The repository can't be fetched from there: {last}.")
    return Transient(f"git fetch failed: {last}.")
