"""Names of paths as file systems may read them: what is one name to some of them is one name to the gate."""

import re
import unicodedata

_SHORT = re.compile(r"[^.~]{1,7}~\d{1,6}(\.[^.~]{0,3})?")
"""Windows gives every long name such a second one: `GITHUB~1`."""
_IGNORED = ("Cf", "Cc", "Mn", "Me")


def bad(path: str) -> str | None:
    """Why a path of this name is never published."""
    if not _is_utf8(path):
        return "its name is not UTF-8"
    if any(unicodedata.category(c) == "Cc" for c in path):
        return "its name has control characters"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "its name is no plain path inside the repository"
    if any(re.fullmatch(r"\.git|git~\d+", part) for part in folded(path)):
        return "its name is, on some system, that of git's own folder"
    if any(_SHORT.fullmatch(part) for part in folded(path)):
        return "its name is, on Windows, the short form of another"
    return None


def folded(path: str) -> tuple[str, ...]:
    """The parts of a path; equal for two paths that any file system which git runs on may take for one.

    Case and hidden characters do not count on macOS; trailing dots and spaces, and all after a colon, on Windows, where a
    backslash divides. Wider than git's own rule (compatibility forms, accents, a dotless i), for nobody needs such names.
    """
    letters = "".join(c for c in unicodedata.normalize("NFKD", path) if unicodedata.category(c) not in _IGNORED)
    return tuple(part.split(":")[0].upper().lower().rstrip(". ") for part in re.split(r"[/\\]", letters))


def showable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
