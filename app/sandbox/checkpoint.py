"""The work so far, carried from one sandbox to the next: the tree that git sees in the work tree, as a pack of what the base lacks.

Ignored files are not in it.
"""

import re
from dataclasses import dataclass

from app.sandbox import git, repo
from app.sandbox.base import Sandbox

LIMIT = 40 << 20
"""Bytes of a pack."""

SAVE = """
known=${2:-$(git rev-parse refs/backspace/pristine)}
tree=$(git write-tree)
echo "$tree"
[ "$tree" = "$known" ] || printf '%s\\n^%s\\n' "$tree" "$1^{tree}" | git pack-objects --revs --thin --stdout --quiet
"""


class TooLarge(Exception):
    """The work does not fit in a checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    tree: str
    pack: bytes
    """Objects of the tree that the base has not."""


async def save(sandbox: Sandbox, base: str, known: str, key: str) -> Checkpoint | None:
    """The work tree as it is; None where it is still the tree `known` ("": what the clone was). Raises TooLarge and UserError."""
    result = git.in_time(
        await git.script(sandbox, repo.SNAPSHOT + SAVE, base, known, key=f"checkpoint/{key}", keep=LIMIT)
    )
    if result.exit_code != 0:
        raise RuntimeError(f"no checkpoint: {git.last_line(result)}")
    if not result.stdout.whole:
        raise TooLarge(f"the work is {result.stdout.size:,} bytes, too much for a checkpoint")
    tree, _, pack = result.stdout.head.partition(b"\n")
    if not re.fullmatch(rb"[0-9a-f]{40,64}", tree):
        raise RuntimeError(f"no checkpoint: {tree[:100]!r} is no tree")
    return Checkpoint(tree.decode(), pack) if pack else None


async def restore(sandbox: Sandbox, checkpoint: Checkpoint, key: str) -> None:
    """Bring the work tree of a clone of the same base to the checkpoint's tree; ignored files stay."""
    await git.printed(sandbox, "git unpack-objects -q", key=f"restore/{key}/objects", stdin=checkpoint.pack)
    await repo.checkout(sandbox, checkpoint.tree, f"restore/{key}")
