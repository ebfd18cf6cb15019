"""Chosen changes, carried from one sandbox to another: the new bytes of some paths as a pack, and laying them into a work tree."""

from collections.abc import Sequence

from app.sandbox import git, repo
from app.sandbox.base import Sandbox
from app.sandbox.repo import Change

LIMIT = 40 << 20
"""Bytes of a pack."""


async def pack(sandbox: Sandbox, changes: Sequence[Change], key: str) -> bytes | None:
    """The new blobs of these changes; None where they are too large."""
    names = "".join(f"{change.new_sha}\n" for change in changes if change.status != "D").encode()
    result = await git.run(
        sandbox, "pack-objects", "--stdout", "--quiet", key=f"parcel/{key}/pack", stdin=names, keep=LIMIT
    )
    return result.stdout.head if result.stdout.whole else None


async def lay(sandbox: Sandbox, base: str, changes: Sequence[Change], packed: bytes, key: str) -> None:
    """The work tree of a clone becomes the tree of `base` with these changes over it; ignored files stay."""
    await git.printed(sandbox, "git unpack-objects -q", key=f"parcel/{key}/objects", stdin=packed)
    tree = await repo.laid_over(sandbox, base, changes, f"parcel/{key}")
    await repo.checkout(sandbox, tree, f"parcel/{key}")
