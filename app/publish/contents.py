"""Contents that are never published, or that a person decides on. Every byte is untrusted."""

import hashlib
import posixpath

from app.core.redact import Redactor, lookalikes
from app.publish import names, packages
from app.publish.protected import Kept
from app.sandbox.repo import Change

_LFS = b"version https://git-lfs.github.com/spec/"


def by_mode(change: Change) -> Kept | None:
    if change.new_mode == "160000":
        return Kept(
            "submodules need a person", ask=False
        )  # a commit of another repository is nothing that can be looked at here
    if change.new_mode == "120000":
        return Kept("symbolic links need a person")
    if change.new_mode not in ("100644", "100755"):
        return Kept(f"its mode {change.new_mode} is not that of a file", ask=False)
    if change.new_mode == "100755" and change.old_mode != "100755":
        return Kept("it became executable")
    return None


def never(change: Change, content: bytes, known: Redactor) -> Kept | None:
    """What nobody can let through: bytes that git misnamed, links out of the repository, and the server's own secrets."""
    if not is_named(content, change.new_sha):
        return Kept("its content is not what git in the sandbox says it is", ask=False)
    if change.new_mode == "120000" and _leads_out(change.path, content):
        return Kept("a symbolic link out of the repository", ask=False)
    if any(known.knows(text) for text in _texts(content)):
        return Kept("it holds a secret of this server", ask=False)
    return None


def to_ask(change: Change, content: bytes, before: bytes) -> Kept | None:
    """What a person has to look at; `before` is what the base has at this path, or nothing."""
    if content.startswith(_LFS):
        return Kept("it points to a file in LFS, which is not here")
    if surprise := packages.surprise(names.folded(change.path)[-1], content, before):
        return Kept(surprise)
    if _tokens(content) - _tokens(before):
        return Kept("it holds what looks like a secret")
    return None


def is_compared(change: Change, content: bytes) -> bool:
    """Whether what the base has at this path can make a difference."""
    return change.status == "M" and (packages.is_one(names.folded(change.path)[-1]) or bool(_tokens(content)))


def is_named(content: bytes, sha: str) -> bool:
    """Whether git gives this name to these bytes: what is approved is known by it, and git in the sandbox may lie."""
    named = b"blob %d\0" % len(content) + content
    return sha == (hashlib.sha256(named) if len(sha) == 64 else hashlib.sha1(named, usedforsecurity=False)).hexdigest()


def _leads_out(path: str, target: bytes) -> bool:
    to = target.decode("utf-8", "surrogateescape").replace("\\", "/")
    end = posixpath.normpath(posixpath.join(posixpath.dirname(path), to))
    return to.startswith("/") or ":" in to.split("/")[0] or end.split("/")[0] == ".." or ".git" in names.folded(end)


def _tokens(content: bytes) -> frozenset[str]:
    return frozenset().union(*map(lookalikes, _texts(content)))


def _texts(content: bytes) -> list[str]:
    """The bytes as letters, one each; and once more without zeros, as UTF-16 has between them."""
    letters = content.decode("latin-1")
    return [letters, letters.replace("\0", "")] if "\0" in letters else [letters]
