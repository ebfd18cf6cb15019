"""The gate on bytes: links, pointers, secrets by value and by pattern, and what could not be looked at."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.redact import Redactor
from app.publish.changes import Contents, Verdicts, compared, judge
from tests.publish.test_changes import change

OURS = "correct-horse-battery-staple"
TOKEN = "ghp_" + "a1B2" * 10
OTHER = "ghp_" + "Zz9Y" * 10
KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq2\n" * 3 + "-----END RSA PRIVATE KEY-----\n"
KNOWN = Redactor([OURS])


def of(content: bytes, before: bytes | None = None, path: str = "a.txt", mode: str = "100644") -> Verdicts:
    """The verdict on one file with this content, that before was another."""
    status, old = ("A", "000000") if before is None else ("M", mode)
    some = change(path, mode, status, len(content), old, blob(content))  # type: ignore[arg-type]
    return judge([some], contents=Contents({path: content}, {path: before or b""}, KNOWN))


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def reason(verdicts: Verdicts) -> str | None:
    return verdicts.left_out[0].reason if verdicts.left_out else None


@pytest.mark.parametrize(
    "content",
    [
        b"x = 1\n",
        b"",
        b"\x00\xff\xfe",
        "日本語 … ghp_short".encode(),
        b"-----BEGIN PUBLIC KEY-----",
        b"KEY = os.environ['GITHUB_TOKEN']",
    ],
)
def test_ordinary_contents_pass(content: bytes) -> None:
    assert reason(of(content)) is None


@pytest.mark.parametrize(
    "content",
    [
        OURS.encode(),
        b"\x89PNG\x00" + OURS.encode() + b"\xff",
        base64.b64encode(b"x" + OURS.encode()),
        OURS.encode().hex().encode(),
        OURS[::-1].encode(),
        OURS.encode("utf-16"),
        "\n".join(OURS).encode(),
    ],
    ids=["plain", "in a binary", "base64", "hex", "reversed", "UTF-16", "a letter a line"],
)
def test_a_secret_of_ours_leaves_in_no_encoding_and_nobody_can_approve_it(content: bytes) -> None:
    """RT-G10, RT-O02"""
    verdicts = of(b"before\n" + content + b"\nafter")
    assert (reason(verdicts), verdicts.asked) == ("it holds a secret of this server", ())


def test_a_person_is_asked_about_a_surprise_in_a_manifest() -> None:
    """RT-G06. What is one is in test_packages.py."""
    before = b'{"scripts": {"postinstall": "node known.js"}}'
    assert reason(of(before, before, "web/Package.json")) is None
    verdicts = of(before.replace(b"known", b"other"), before, "web/Package.json")
    assert (reason(verdicts), len(verdicts.asked)) == (
        "it runs a script at installation: postinstall: node other.js",
        1,
    )


def test_a_secret_of_ours_leaves_in_no_name_either() -> None:
    verdicts = of(b"", path=f"{OURS}.txt")
    assert verdicts.passed == ()
    assert OURS not in verdicts.left_out[0].path


@pytest.mark.parametrize("content", [TOKEN, TOKEN.encode("utf-16").decode("latin-1"), KEY, KEY.replace("\n", "\\n")])
def test_a_person_is_asked_about_what_looks_like_a_secret(content: str) -> None:
    """RT-G10"""
    verdicts = of(b"\x00" + content.encode("latin-1"))
    assert (reason(verdicts), len(verdicts.asked)) == ("it holds what looks like a secret", 1)


def test_only_a_secret_that_is_new_counts() -> None:
    """An example in the documentation does not keep its page from being edited; another in its place does."""
    assert reason(of(f"use {TOKEN} here".encode(), f"use {TOKEN}".encode())) is None
    assert reason(of(f"use {OTHER}".encode(), f"use {TOKEN}".encode())) == "it holds what looks like a secret"
    assert reason(of(TOKEN.encode())) == "it holds what looks like a secret"


def test_only_where_it_makes_a_difference_the_base_is_asked_for() -> None:
    some = [change(path, status="M") for path in ("a.py", "b.py", "web/package.json")] + [change("uv.lock")]
    contents = {"a.py": b"", "b.py": TOKEN.encode(), "web/package.json": b"{}", "uv.lock": b""}
    assert compared(some, contents) == ("b.py", "web/package.json")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("../README.md", "symbolic links need a person"),
        ("x/../../README.md", "symbolic links need a person"),
        ("/etc/passwd", "a symbolic link out of the repository"),
        ("/proc/self/environ", "a symbolic link out of the repository"),
        ("../../secrets", "a symbolic link out of the repository"),
        ("x/../../../y", "a symbolic link out of the repository"),
        ("..\\..\\y", "a symbolic link out of the repository"),
        ("C:\\x", "a symbolic link out of the repository"),
        ("../.git/config", "a symbolic link out of the repository"),
        ("../.GIT/config", "a symbolic link out of the repository"),
    ],
)
def test_a_link_out_of_the_repository_can_not_be_approved(target: str, why: str) -> None:
    """RT-G11, RT-R03"""
    verdicts = of(target.encode(), path="docs/link", mode="120000")
    assert (reason(verdicts), bool(verdicts.asked)) == (why, "person" in why)


def test_a_pointer_to_a_file_that_is_elsewhere_needs_a_person() -> None:
    """RT-R08"""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    assert reason(of(pointer)) == "it points to a file in LFS, which is not here"


def test_what_could_not_be_looked_at_does_not_pass() -> None:
    verdicts = judge([change("a.py")], contents=Contents({}))
    assert (reason(verdicts), verdicts.asked) == ("its content could not be looked at", ("a.py",))


NAMES = [
    "a.py",
    "package.json",
    "package-lock.json",
    "pyproject.toml",
    "uv.lock",
    "go.mod",
    "composer.lock",
    "requirements.txt",
]
FRAGMENTS = st.sampled_from([
    b"{", b"}", b"[", b"]", b'"', b":", b"=", b"\n", b"scripts", b"dependencies", b"https://[", b"://", b"git@x:", b"=>", b"\xff", b"\x00",
    b"1",
])  # fmt: skip


@given(st.sampled_from(NAMES), st.lists(FRAGMENTS).map(b"".join), st.lists(FRAGMENTS).map(b"".join) | st.none())
def test_every_content_gets_a_verdict(path: str, content: bytes, before: bytes | None) -> None:
    verdicts = of(content, before, path)
    assert len(verdicts.passed) + len(verdicts.left_out) == 1


def test_a_git_that_lies_about_what_it_gives_is_not_believed() -> None:
    """Or else the name of something approved would let anything through."""
    lie = change("AGENTS.md", sha=blob(b"approved"))
    approval = judge([lie]).approval
    verdicts = judge([lie], contents=Contents({"AGENTS.md": b"other"}), approved=frozenset({approval}))
    assert (verdicts.passed, verdicts.asked) == ((), ())
    true = judge([lie], contents=Contents({"AGENTS.md": b"approved"}), approved=frozenset({approval}))
    assert true.passed == (lie,)


@pytest.mark.parametrize("path", NAMES)
def test_so_does_what_is_nested_without_end(path: str) -> None:
    assert judge([change(path)], contents=Contents({path: b"[" * 200_000})).refused is None
    assert judge([change(path)], contents=Contents({path: b"x = " + b"[" * 200_000})).refused is None
