"""A repository of this machine. Its HEAD comes in, and the work goes out as a branch of it, made by git's plumbing alone.

The work tree, the index and HEAD stay as they are, no hook runs, and no remote is asked for anything. It is the asker's own repository,
so their configuration holds: they are the author, by the name that git knows them by.
"""

import asyncio
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from app.core.errors import UserError
from app.core.task import Request, Words
from app.github.thread import Thread
from app.publish.commit import Commit, Work, message, names, task_line
from app.publish.head_branch import folders
from app.runs.fetched import fetched
from app.runs.ground import Ground
from app.runs.place import Begun, Offer, Opened
from app.sandbox import bundle
from app.sandbox.base import Sandbox

FLAGS = (
    "--no-replace-objects", "--no-optional-locks", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0",
    "-c", "protocol.allow=never", "-c", "core.splitIndex=false", "-c", "i18n.commitEncoding=UTF-8",
)  # fmt: skip
KEPT = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_")
"""Of git's variables: who commits, and where configuration lies. The others speak of the repository that we were started in."""
NONE: Mapping[str, str] = {}
DETACHED = "HEAD"


class Folder(Words):
    """A repository of this machine that can be worked on."""

    path: str
    """Absolute; of its work tree, where it has one."""
    branch: str
    """What is checked out: a branch, or "HEAD"."""
    dirty: bool
    """Something in the work tree is not committed."""


@dataclass(frozen=True)
class _Head:
    sha: str
    tree: str
    parents: tuple[str, ...]
    message: str

    def is_of(self, request: Request) -> bool:
        return task_line(request) in self.message.splitlines()


class ByPath:
    """`CodeRequest.path` says which repository; `CodeRequest.branch` one that is not there yet."""

    async def begin(self, run: str, request: Request) -> Begun:
        found = await folder(_path(request), request.branch)
        return Begun(branch=found.branch, start=found.branch)

    async def clone(
        self, run: str, request: Request, sandbox: Sandbox, start: str, rules: str = "", sha: str | None = None
    ) -> str:
        ref, branch = ("HEAD", "work") if start == DETACHED else (f"refs/heads/{start}", start)
        return await bundle.clone(sandbox, await fetched(_path(request), sha or ref), branch=branch)

    async def thread(self, ground: Ground) -> Thread:
        return Thread()

    async def commit(self, ground: Ground, work: Work) -> Commit:
        path, made = _path(ground.request), ""
        for name in names(ground.request.head_branch):
            head = await _head(path, name)
            if head is None:
                made = made or await _make(path, ground, work)
                head = await _point(path, name, made)
            if head.tree == work.tree and head.parents == (ground.base,) and head.is_of(ground.request):
                return Commit(branch=name, sha=head.sha, tree=head.tree)
        raise UserError(f"Too many branches are named {ground.request.head_branch}: delete those that are not needed.")

    async def pull(self, ground: Ground, head: str, offer: Offer) -> Opened:
        """There are none here: a branch is all that is wanted."""
        return Opened(via="branch", draft=offer.draft)

    async def discard(self, ground: Ground, head: str, sha: str) -> None:
        """Never asked for: what is in a folder is offered to nobody."""

    async def close(self, run: str) -> None:
        """There are no credentials."""


async def folder(path: str, branch: str = "") -> Folder:
    """Look before any cost is made. Raises UserError where there is nothing to work on, or the branch asked for is taken."""
    code, git_dir, why = await _try(path, "rev-parse", "--absolute-git-dir")
    if code != 0:
        raise UserError(f"{path} can't be worked on: git says {why!r}.")
    if (await _try(path, "rev-parse", "--quiet", "--verify", "HEAD^{commit}"))[0] != 0:
        raise UserError(f"{path} has no commit yet: commit something, for the work starts from there.")
    if (await _try(path, "var", "GIT_COMMITTER_IDENT"))[0] != 0:
        raise UserError(
            "git does not know who commits: set user.name and user.email (git config --global user.name …)."
        )
    if branch and await _head(path, branch):
        raise UserError(f"There is a branch {branch} already: name another, or check it out to start from it.")
    for above in folders(branch):
        if await _head(path, above):
            raise UserError(f"git has no room for {branch} beside the branch {above}: name another.")
    _, top, _ = await _try(path, "rev-parse", "--show-toplevel")
    _, status, _ = await _try(path, "status", "--porcelain", "-z")
    _, checked_out, _ = await _try(path, "symbolic-ref", "--quiet", "--short", "HEAD")
    return Folder(path=top or git_dir, branch=checked_out or DETACHED, dirty=bool(status))


async def _head(path: str, branch: str) -> _Head | None:
    show = ("log", "-1", "--no-show-signature", "--format=%H%n%T%n%P%n%B", f"refs/heads/{branch}", "--")
    code, shown, _ = await _try(path, *show)
    if code != 0:
        return None
    sha, tree, parents, words = f"{shown}\n\n\n".split("\n", 3)  # a message may be empty
    return _Head(sha, tree, tuple(parents.split()), words)


async def _make(path: str, ground: Ground, work: Work) -> str:
    """The commit's SHA; no branch points to it yet. Raises RuntimeError where its tree is not the one that was checked."""
    blobs = b"".join(b"blob\ndata %d\n%b\n" % (len(content), content) for content in work.contents.values())
    await _git(path, "fast-import", "--quiet", "--done", stdin=blobs + b"done\n")
    ordered = sorted(
        work.changes, key=lambda change: change.status != "D"
    )  # a file gives way before a folder of its name
    entries = b"".join(f"{c.new_mode} {c.new_sha}\t{c.path}\0".encode(errors="surrogateescape") for c in ordered)
    with tempfile.TemporaryDirectory(prefix="backspace-") as temporary:
        index = {"GIT_INDEX_FILE": f"{temporary}/index"}
        await _git(path, "read-tree", ground.base, env=index)
        await _git(path, "update-index", "-z", "--replace", "--index-info", stdin=entries, env=index)
        tree = await _git(path, "write-tree", env=index)
    if tree != work.tree:
        raise RuntimeError(f"git made the tree {tree}, and {work.tree} was checked")
    words = message(ground.request, work.summary).encode()
    return await _git(path, "commit-tree", tree, "-p", ground.base, "-F", "-", stdin=words)


async def _point(path: str, name: str, sha: str) -> _Head:
    """Create the branch, and read back what it points to: somebody may have been faster."""
    code, _, why = await _try(path, "update-ref", "-m", "backspace run", f"refs/heads/{name}", sha, "")
    head = await _head(path, name)
    if head is None:
        raise UserError(f"git does not take the branch {name}: {why} (exit code {code}).")
    return head


async def _git(path: str, *args: str, stdin: bytes = b"", env: Mapping[str, str] = NONE) -> str:
    """What one git command prints. Raises UserError in git's own words: it is the asker's repository, disk and configuration."""
    code, out, why = await _try(path, *args, stdin=stdin, env=env)
    if code != 0:
        raise UserError(f"git {args[0]} failed in {path}: {why}")
    return out


async def _try(path: str, *args: str, stdin: bytes = b"", env: Mapping[str, str] = NONE) -> tuple[int, str, str]:
    """Exit code, output without the last line end, and the last line of what git said."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(KEPT)}
    process = await asyncio.create_subprocess_exec(
        "git",
        *FLAGS,
        "-C",
        path,
        *args,
        env={**theirs, **env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin)
    said = err.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
    return process.returncode or 0, out.decode(errors="replace").rstrip("\n"), said[-1]


def _path(request: Request) -> str:
    path = getattr(request, "path", "")
    assert path
    return str(path)
