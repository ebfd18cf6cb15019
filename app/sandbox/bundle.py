"""A repository that comes into a sandbox as bytes, for one whose address the sandbox can't reach or has no right to."""

import re
from dataclasses import dataclass

from app.sandbox import git
from app.sandbox.base import Sandbox
from app.sandbox.cloning import sealed

SECONDS = 300.0
UNPACK = """
unset GIT_DIR GIT_WORK_TREE
find . -mindepth 1 -delete
git init -q --template= .
while IFS= read -r line && [ -n "$line" ]; do echo "$line"; done >.git/shallow
[ -s .git/shallow ] || rm .git/shallow
git index-pack --stdin >/dev/null
git update-ref "refs/heads/$2" "$1"
git symbolic-ref HEAD "refs/heads/$2"
"""
ADD = "git index-pack --stdin >/dev/null"


@dataclass(frozen=True)
class Bundle:
    """The history up to `sha`, in one pack. (A bundle of git's own can't say where history is cut off.)"""

    sha: str
    cut: tuple[str, ...]
    """Commits whose parents are left out."""
    pack: bytes


async def clone(sandbox: Sandbox, bundle: Bundle, *, branch: str) -> str:
    """Make the repository of it, with the commit checked out as `branch`, as `cloning.clone` does from an address. Returns the SHA."""
    if not all(re.fullmatch(r"[0-9a-f]{40,64}", sha) for sha in (bundle.sha, *bundle.cut)):
        raise ValueError("not a SHA")
    head = "".join(f"{sha}\n" for sha in (*bundle.cut, "")).encode()
    key = f"bundle/{bundle.sha}"
    made = await git.script(sandbox, UNPACK, bundle.sha, branch, key=key, stdin=head + bundle.pack, seconds=SECONDS)
    if git.in_time(made).exit_code != 0:
        raise RuntimeError(f"git failed: {git.last_line(made)}")
    return await sealed(sandbox, key)


async def lay_beside(sandbox: Sandbox, bundle: Bundle) -> None:
    """Its files are to be had by its SHA; what was cloned, and what commands see of it, stays as it is."""
    await git.printed(sandbox, ADD, key=f"bundle/{bundle.sha}/beside", stdin=bundle.pack)
