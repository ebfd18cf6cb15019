"""The diff that somebody approves by: made here, of bytes whose names were checked, for git in the sandbox may show another one. Pure."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence

from app.core.clean import shown
from app.core.redact import Redactor
from app.publish.contents import is_named
from app.sandbox.repo import Change

LINES = 3_000
"""Lines of a file, between those that both begin and both end with, that are compared."""
AROUND = 3
"""Lines shown around each change."""
LINE = 500
"""Characters of a changed line. A block of code on a page has room for some 120, and nobody scrolls through much more than that."""
_HIDES_ITS_END = re.compile(r"^[\s\u2800]{81}|[^\s\u2800][\s\u2800]{41}")
"""What comes behind so many blanks is off a page where all before it seems to be the whole line: 40 are enough to align what follows,
80 to indent ten levels deep. A tab counts for eight, as it may be shown."""
_LOOKS_LIKE_A_LINE = re.compile("\r(?!\n)|[\u2028\u2029]")
"""What follows it in a line that comes would look, on a page, like a line that was there before."""


def true_diff(
    changes: Sequence[Change], before: Mapping[str, bytes], new: Mapping[str, bytes], limit: int, known: Redactor
) -> str | None:
    """All that these changes do; None where not all of it can be seen in `limit` characters, hidden ones written out.

    `before`, `new`: the bytes by path, where there are some. None, too, where they are not those that the change names, where `known`
    would take something out of it, and where the end of a line that comes or goes would be off the page.
    """
    whole = ""
    for change in changes:
        old_text = _text(change.old_sha, change.old_mode, before.get(change.path))
        new_text = _text(change.new_sha, change.new_mode, new.get(change.path))
        if old_text is None or new_text is None:
            return None
        lines = _compared(old_text, new_text)
        if lines is None:
            return None
        lines = [*_head(change), *lines]
        if any(_is_long(line[1:]) for line in lines if not line.startswith(" ")):
            return None
        whole += "\n".join(lines) + "\n"
        if len(shown(whole)) > limit:
            return None
    return whole if known.text(whole) == whole else None


def _is_long(line: str) -> bool:
    return len(shown(line)) > LINE or _HIDES_ITS_END.search(line.expandtabs(8)) is not None


def _head(change: Change) -> Iterator[str]:
    """As git says it."""
    yield f"diff --git a/{change.path} b/{change.path}"
    if change.status == "A":
        yield f"new file mode {change.new_mode}"
    elif change.status == "D":
        yield f"deleted file mode {change.old_mode}"
    elif change.old_mode != change.new_mode:
        yield f"old mode {change.old_mode}"
        yield f"new mode {change.new_mode}"


def _text(sha: str, mode: str, content: bytes | None) -> str | None:
    """ "" for no file; None for bytes that are no text, or not those that are meant."""
    if mode == "000000":
        return ""
    if content is None or b"\0" in content or not is_named(content, sha):
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if _LOOKS_LIKE_A_LINE.search(text) else text


def _compared(old: str, new: str) -> list[str] | None:
    """Unified, without names; None where it would take too long."""
    a, b = _lines(old), _lines(new)
    shorter = min(len(a), len(b))
    start = next((n for n in range(shorter) if a[n] != b[n]), shorter)
    end = next((n for n in range(shorter - start) if a[-1 - n] != b[-1 - n]), shorter - start)
    skipped, cut = max(0, start - AROUND), max(0, end - AROUND)
    a, b = a[skipped : len(a) - cut], b[skipped : len(b) - cut]
    return None if max(len(a), len(b)) > LINES else list(_hunks(a, b, skipped))


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def _hunks(a: Sequence[str], b: Sequence[str], skipped: int) -> Iterator[str]:
    for group in difflib.SequenceMatcher(None, a, b).get_grouped_opcodes(AROUND):
        (_, i, _, j, _), (_, _, i_end, _, j_end) = group[0], group[-1]
        yield f"@@ -{i + 1 + skipped},{i_end - i} +{j + 1 + skipped},{j_end - j} @@"
        for same, i1, i2, j1, j2 in group:
            if same == "equal":
                yield from (f" {line}" for line in a[i1:i2])
            else:
                yield from (f"-{line}" for line in a[i1:i2])
                yield from (f"+{line}" for line in b[j1:j2])
