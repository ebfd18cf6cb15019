"""The repository in a sandbox, read as untrusted data after it was cloned. Git runs inside the sandbox only.

The agent works in a clone of its own and may do to it what it likes. What we read and write goes through a second git directory above
it, with the same objects and none of its configuration: no hook, filter, fsmonitor, exclude, replacement or index that the agent made
has any say in what the candidate tree is, and a removed `.git` loses nothing.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from app.core.errors import UserError
from app.sandbox import git
from app.sandbox.base import Sandbox

MAX_PATHS = 5_000
MAX_CONTENTS = 40 << 20
# `cp -p` keeps the index's own time, by which git tells entries that may have changed within the same tick of the clock.
SNAPSHOT = """
find . -type d ! \\( -readable -writable -executable \\) -exec chmod u+rwx {} \\; -o -type f ! -readable -exec chmod u+r {} \\; || true
export GIT_INDEX_FILE="$(mktemp -d)/index"
trap 'rm -rf "${GIT_INDEX_FILE%/*}"' EXIT
cp -p "$GIT_DIR/index" "$GIT_INDEX_FILE"
all() { git add --all --ignore-errors -- . 2>/dev/null || [ $? = 1 ]; }
all
"""
CANDIDATE = """
export GIT_INDEX_FILE="$(mktemp -d)/index"
trap 'rm -rf "${GIT_INDEX_FILE%/*}"' EXIT
git read-tree "$1"
git update-index -z --replace --index-info
git write-tree
"""
CHECKOUT = """
git read-tree --reset -u "$1"
git clean -ffdq
all
git rev-parse "$1^{tree}"
git write-tree
cp -p "$GIT_INDEX_FILE" "$GIT_DIR/index"
"""

Status = Literal["A", "M", "D", "T"]
"""Added, modified, deleted, or of another type than before (a file became a link)."""


@dataclass(frozen=True)
class Change:
    """A path that differs between the base and the candidate tree. `size` and `binary` speak of the new blob."""

    path: str
    """Bytes that are no UTF-8 are surrogate escapes."""
    status: Status
    old_mode: str
    new_mode: str
    old_sha: str
    new_sha: str
    size: int
    binary: bool


@dataclass(frozen=True)
class Diff:
    text: str
    added: int
    removed: int
    files: int


async def tracked(sandbox: Sandbox, base: str, limit: int) -> list[str]:
    """The first `limit` paths of the base, in git's order."""
    result = await git.run(sandbox, "ls-tree", "-r", "-z", "--name-only", base, key=f"tracked/{base}", keep=8 << 20)
    paths = result.stdout.head.split(b"\0")[:-1]
    return [_text(path) for path in paths[:limit]]


async def objects(sandbox: Sandbox, base: str, paths: Sequence[str]) -> bytes:
    """What tells whether any of these files of the base, by its path and its bytes, is another one. Paths with odd names are left out."""
    plain = [path for path in paths if path.isprintable()]
    names = "".join(f"{base}:{path}\n" for path in plain).encode()
    check = "--batch-check=%(objectname)"
    result = await git.run(sandbox, "cat-file", check, key=f"objects/{base}", stdin=names, keep=8 << 20)
    return result.stdout.head + b"\0" + "\n".join(plain).encode()


async def show(sandbox: Sandbox, base: str, path: str, limit_bytes: int) -> str | None:
    """A file of the base. None where there is none, where it is larger, and where it is no UTF-8."""
    key = f"show/{base}/{hashlib.sha256(path.encode(errors='surrogateescape')).hexdigest()[:24]}"
    result = await git.run(sandbox, "cat-file", "blob", f"{base}:{path}", key=key, keep=limit_bytes, fails=True)
    if result.exit_code != 0 or not result.stdout.whole:
        return None
    try:
        return result.stdout.head.decode()
    except UnicodeDecodeError:
        return None


async def changes(sandbox: Sandbox, base: str, key: str) -> tuple[Change, ...]:
    """What the work tree, except what is ignored, changes against the base. Raises UserError for more than can be published."""
    tree = await git.printed(sandbox, SNAPSHOT + "git write-tree", key=f"changes/{key}")
    found = await _between(sandbox, base, tree, f"changes/{key}")
    untouched = await _renormalized(sandbox)
    return tuple(change for change in found if (change.path, change.new_sha) not in untouched)


async def candidate(sandbox: Sandbox, base: str, paths: Sequence[str], key: str) -> str:
    """SHA of the tree that is the base plus what the work tree changes in these paths, and nothing else."""
    wanted = set(paths)
    chosen = [change for change in await changes(sandbox, base, f"candidate/{key}") if change.path in wanted]
    return await laid_over(sandbox, base, chosen, f"candidate/{key}")


async def laid_over(sandbox: Sandbox, base: str, chosen: Sequence[Change], key: str) -> str:
    """SHA of the tree that is the base with these changes over it, whose blobs are there."""
    # A file gives way before a folder of its name comes.
    ordered = sorted(chosen, key=lambda change: change.status != "D")
    entries = b"".join(f"{c.new_mode} {c.new_sha}\t{c.path}\0".encode(errors="surrogateescape") for c in ordered)
    return await git.printed(sandbox, CANDIDATE, base, key=key, stdin=entries)


async def checkout(sandbox: Sandbox, tree: str, key: str) -> None:
    """The work tree becomes exactly that tree; ignored files stay, other untracked ones go. Raises RuntimeError where it does not."""
    wanted, actual = (await git.printed(sandbox, SNAPSHOT + CHECKOUT, tree, key=f"checkout/{key}")).split()
    if actual != wanted:
        differing = await _between(sandbox, wanted, actual, f"checkout/{key}")
        untouched = await _renormalized(sandbox)
        if any((change.path, change.new_sha) not in untouched for change in differing):
            raise RuntimeError(f"the work tree can't be brought to {tree}: it is {actual}")


async def contents(sandbox: Sandbox, changes: Sequence[Change], key: str) -> dict[str, bytes]:
    """The new bytes of each changed path that has some. Raises UserError for more than 40 MB together."""
    blobs = [c for c in changes if c.status != "D" and c.new_mode != "160000"]
    if sum(c.size for c in blobs) > MAX_CONTENTS:
        raise UserError(
            f"The changed files are larger than {MAX_CONTENTS >> 20} MB together: leave the large ones out."
        )
    names = "".join(f"{c.new_sha}\n" for c in blobs).encode()
    keep = sum(c.size + 100 for c in blobs)
    result = await git.run(sandbox, "cat-file", "--batch", key=f"contents/{key}", stdin=names, keep=keep)
    output, at, found = result.stdout.head, 0, {}
    for change in blobs:
        begin = output.index(b"\n", at) + 1
        size = int(output[at:begin].split()[2])
        found[change.path] = output[begin : begin + size]
        at = begin + size + 1
    return found


async def diff(sandbox: Sandbox, base: str, tree: str, key: str, limit: int) -> Diff:
    """Unified diff for people: `text` holds at most the first `limit` bytes of it, the numbers speak of the whole."""
    flags = ("diff-tree", "-r", "--no-renames", "--no-ext-diff", "--no-textconv")
    patch, stat = await asyncio.gather(
        git.run(sandbox, *flags, "-p", base, tree, key=f"diff/{key}/patch", keep=2 * limit),
        git.run(sandbox, *flags, "-z", "--numstat", base, tree, key=f"diff/{key}/stat", keep=8 << 20),
    )
    lines = [entry.split(b"\t")[:2] for entry in stat.stdout.head.split(b"\0") if entry]
    added, removed = (sum(int(line[side]) for line in lines if line[side] != b"-") for side in (0, 1))
    return Diff(_readable(patch.stdout.head[:limit]), added, removed, len(lines))


async def _renormalized(sandbox: Sandbox) -> set[tuple[str, str]]:
    """Paths, with their new blob, that git would change in a fresh clone already: their line ends go against the .gitattributes."""
    found = await _between(sandbox, "refs/backspace/base", "refs/backspace/pristine", "pristine")
    return {(change.path, change.new_sha) for change in found}


async def _between(sandbox: Sandbox, base: str, tree: str, key: str) -> tuple[Change, ...]:
    argv = (
        "diff-tree",
        "-r",
        "-z",
        "--raw",
        "--numstat",
        "--no-abbrev",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
    )
    result = await git.run(sandbox, *argv, base, tree, key=f"{key}/raw", keep=16 << 20)
    raw, binary = await asyncio.to_thread(_parse, result.stdout.head)
    if len(raw) > MAX_PATHS or not result.stdout.whole:
        raise UserError(
            f"More than {MAX_PATHS:,} files changed, more than a pull request can show: ignore what is generated."
        )
    blobs = sorted({new for _, new_mode, _, new, _, _ in raw if new_mode not in ("000000", "160000")})
    check = "--batch-check=%(objectname) %(objectsize)"
    names = "".join(f"{sha}\n" for sha in blobs).encode()
    sized = await git.run(sandbox, "cat-file", check, key=f"{key}/sizes", stdin=names, keep=1 << 20)
    sizes = dict(line.split(" ") for line in sized.stdout.head.decode().splitlines())
    return tuple(
        Change(_text(path), status, old_mode, new_mode, old, new, int(sizes.get(new, 0)), path in binary)
        for old_mode, new_mode, old, new, status, path in raw
    )


_Raw = tuple[str, str, str, str, Status, bytes]


def _parse(output: bytes) -> tuple[list[_Raw], set[bytes]]:
    """`diff-tree -z --raw --numstat`: the raw entries, and the paths that git holds for binary."""
    raw: list[_Raw] = []
    binary: set[bytes] = set()
    fields = iter(output.split(b"\0"))
    for field in fields:
        if field.startswith(b":"):
            old_mode, new_mode, old, new, status = field[1:].decode().split(" ")
            raw.append((old_mode, new_mode, old, new, cast(Status, status), next(fields)))
        elif field.startswith(b"-\t-\t"):
            binary.add(field[4:])
    return raw, binary


def _text(path: bytes) -> str:
    return path.decode(errors="surrogateescape")


def _readable(output: bytes) -> str:
    return output.decode(errors="replace")
