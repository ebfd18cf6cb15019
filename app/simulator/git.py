"""Git Data on a real bare repository, by git's own plumbing."""

import asyncio
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SHA = re.compile(r"[0-9a-f]{40}")
NONE = "0" * 40
SERVED = """\
[http]
\treceivepack = true
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
[gc]
\tauto = 0
"""
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class GitError(Exception):
    """git refused; the message is its own."""


@dataclass(frozen=True)
class Person:
    name: str
    email: str
    date: str
    """ISO 8601, UTC."""


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True)
class Entry:
    mode: str
    sha: str
    path: str
    kind: str = "blob"
    size: int | None = None


@dataclass(frozen=True)
class File:
    mode: str
    content: bytes


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """git's environment without anything of the machine's own configuration."""
    return {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": os.devnull,
        **(extra or {}),
    }


async def git(repo: Path, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
    """Output of a git command. Raises GitError where it fails."""
    process = await asyncio.create_subprocess_exec(
        "git",
        *args,
        cwd=repo,
        env=environment(env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin)
    if process.returncode:
        raise GitError(err.decode(errors="replace").strip())
    return out


async def init(repo: Path) -> None:
    """A new bare repository that serves clones of any commit and takes pushes."""
    await asyncio.to_thread(repo.mkdir, parents=True)
    await git(repo, "init", "-q", "--bare", "--initial-branch=main")
    with (repo / "config").open("a") as config:
        config.write(SERVED)


async def fork(repo: Path, parent: Path, branch: str) -> None:
    """A new bare repository with one branch of another, whose objects it shares: as on GitHub, also those that come later."""
    await init(repo)
    (repo / "objects/info/alternates").write_text(f"{parent}/objects\n")
    await set_default(repo, branch)
    if head := await resolve(parent, f"refs/heads/{branch}"):
        await update_ref(repo, f"refs/heads/{branch}", head)


async def take_over(repo: Path, other: Path, sha: str) -> None:
    """Have a commit of a fork's, and all that is below it."""
    if other != repo:
        await git(repo, "fetch", "-q", "--no-tags", "--no-write-fetch-head", str(other), sha)


async def import_files(repo: Path, files: Mapping[str, File], author: Person) -> str:
    """The first commit of `main`, in one go. Returns its SHA."""
    who = f"{author.name} <{author.email}> {_epoch(author.date)} +0000"
    message = b"Initial commit"
    stream = [
        f"commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata {len(message)}\n".encode() + message + b"\n"
    ]
    for path, file in files.items():
        stream.append(
            f"M {file.mode} inline {_quoted(path)}\ndata {len(file.content)}\n".encode() + file.content + b"\n"
        )
    await git(repo, "fast-import", "--quiet", stdin=b"".join(stream))
    head = await resolve(repo, "refs/heads/main")
    assert head is not None
    return head


def _epoch(date: str) -> int:
    return int(datetime.fromisoformat(date).timestamp())


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


async def resolve(repo: Path, name: str, kind: str = "commit") -> str | None:
    """SHA of the object of this kind that a full ref name or a SHA stands for; None where there is none."""
    return await _parsed(repo, f"{name}^{{{kind}}}")


async def at_path(repo: Path, revision: str, path: str) -> str | None:
    """SHA of the file or folder at a path of a commit; None where there is none."""
    return await _parsed(repo, f"{revision}:{path}")


async def _parsed(repo: Path, expression: str) -> str | None:
    try:
        return (await git(repo, "rev-parse", "--verify", "--quiet", "--end-of-options", expression)).decode().strip()
    except GitError:
        return None


async def set_default(repo: Path, branch: str) -> None:
    """The branch that a clone checks out."""
    await git(repo, "symbolic-ref", "HEAD", f"refs/heads/{branch}")


async def kind_of(repo: Path, sha: str) -> str | None:
    try:
        return (await git(repo, "cat-file", "-t", sha)).decode().strip()
    except GitError:
        return None


async def refs(repo: Path, prefix: str) -> dict[str, str]:
    """Refs whose full names start with `prefix`, with the objects they name."""
    out = await git(repo, "for-each-ref", "--format=%(refname)%00%(objectname)")
    pairs = (line.split("\0") for line in out.decode().splitlines())
    return {name: sha for name, sha in pairs if name.startswith(prefix)}


async def update_ref(repo: Path, name: str, new: str, old: str | None = None) -> None:
    """Point a ref at `new`; `old` (NONE: it must not exist) guards against a change meanwhile. Raises GitError."""
    await git(repo, "update-ref", name, new, *([] if old is None else [old]))


async def delete_ref(repo: Path, name: str) -> None:
    await git(repo, "update-ref", "-d", name)


async def valid_ref(repo: Path, name: str) -> bool:
    try:
        await git(repo, "check-ref-format", name)
    except GitError:
        return False
    return True


async def is_ancestor(repo: Path, old: str, new: str) -> bool:
    try:
        await git(repo, "merge-base", "--is-ancestor", old, new)
    except GitError:
        return False
    return True


async def write_blob(repo: Path, content: bytes) -> str:
    return (await git(repo, "hash-object", "-w", "--stdin", stdin=content)).decode().strip()


async def read_blob(repo: Path, sha: str) -> bytes:
    return await git(repo, "cat-file", "blob", sha)


async def read_tree(repo: Path, sha: str, *, recursive: bool = False) -> list[Entry]:
    out = await git(repo, "ls-tree", "-z", "-l", *(["-r", "-t"] if recursive else []), sha)
    found = []
    for line in out.decode(errors="surrogateescape").split("\0")[:-1]:
        facts, path = line.split("\t", 1)
        mode, kind, entry_sha, size = facts.split()
        found.append(Entry(mode, entry_sha, path, kind, None if size == "-" else int(size)))
    return found


async def write_tree(repo: Path, base: str | None, changes: Iterable[Entry], deleted: Iterable[str]) -> str:
    """A tree from `base` with blobs set and paths removed, in a temporary index. Raises GitError, also for an unknown path to remove."""
    changes, deleted = list(changes), list(deleted)
    with tempfile.TemporaryDirectory() as folder:
        env = {"GIT_INDEX_FILE": f"{folder}/index"}
        if base:
            await git(repo, "read-tree", base, env=env)
        if deleted:
            await git(repo, "ls-files", "--error-unmatch", "--", *(f":(literal){p}" for p in deleted), env=env)
        subtrees = [e for e in changes if e.mode == "040000"]
        lines = [f"0 {NONE}\t{path}\0" for path in [*deleted, *(e.path for e in subtrees)]]
        lines += [f"{e.mode} {e.sha}\t{e.path}\0" for e in changes if e.mode != "040000"]
        await git(repo, "update-index", "-z", "--index-info", stdin="".join(lines).encode(), env=env)
        for entry in subtrees:
            await git(repo, "read-tree", f"--prefix={entry.path}/", entry.sha, env=env)
        return (await git(repo, "write-tree", env=env)).decode().strip()


async def read_commit(repo: Path, sha: str) -> Commit:
    fields = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B"
    out = (await git(repo, "show", "-s", f"--format={fields}", sha)).decode(errors="replace")
    head, tree, parents, an, ae, at, cn, ce, ct, message = out.split("\0", 9)
    author, committer = Person(an, ae, _date(at)), Person(cn, ce, _date(ct))
    return Commit(head, tree, tuple(parents.split()), author, committer, message.rstrip("\n"))


def _date(epoch: str) -> str:
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def write_commit(
    repo: Path, *, tree: str, parents: Iterable[str], message: str, author: Person, committer: Person
) -> str:
    env = {f"GIT_{who}_{what}": value for who, p in (("AUTHOR", author), ("COMMITTER", committer)) for what, value in (
        ("NAME", p.name), ("EMAIL", p.email), ("DATE", f"{_epoch(p.date)} +0000"))}  # fmt: skip
    arguments = [argument for parent in parents for argument in ("-p", parent)]
    return (await git(repo, "commit-tree", tree, *arguments, stdin=message.encode(), env=env)).decode().strip()


async def count(repo: Path, base: str, head: str) -> int:
    """Commits of `head` that `base` does not have."""
    return int(await git(repo, "rev-list", "--count", f"{base}..{head}"))


async def merge_base(repo: Path, base: str, head: str) -> str:
    try:
        return (await git(repo, "merge-base", base, head)).decode().strip()
    except GitError:
        return EMPTY_TREE


async def diff(repo: Path, base: str, head: str) -> str:
    """Unified diff of what `head` changed since it left `base`."""
    return (await git(repo, "diff", "-M", await merge_base(repo, base, head), head)).decode(errors="replace")


async def stat(repo: Path, base: str, head: str) -> tuple[int, int, int]:
    """Files changed, lines added, lines removed; binary files count no lines."""
    out = (await git(repo, "diff", "--numstat", await merge_base(repo, base, head), head)).decode()
    rows = [line.split("\t") for line in out.splitlines()]
    lines = [(int(a), int(d)) for a, d, _ in rows if a != "-"]
    return len(rows), sum(a for a, _ in lines), sum(d for _, d in lines)
