"""The first gate: what may leave the sandbox, by name, mode and size."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.publish.changes import Limits, Verdicts, judge, touches_tests
from app.sandbox.repo import Change, Status


def change(path: str, mode: str = "100644", status: Status = "A", size: int = 10, old_mode: str = "000000") -> Change:
    return Change(path, status, old_mode, mode, "0" * 40, "1" * 40, size, False)


def deleted(path: str, old_mode: str = "100644") -> Change:
    return change(path, "000000", "D", 0, old_mode)


def reason(change: Change) -> str | None:
    verdicts = judge([change])
    assert len(verdicts.passed) + len(verdicts.left_out) == 1
    return verdicts.left_out[0].reason if verdicts.left_out else None


@pytest.mark.parametrize(
    "fine",
    [
        change("api/models.py"),
        change("run.sh", "100755"),
        change(".gitignore"),
        change(".gitattributes"),
        change(".github/CODEOWNERS"),
        change(".github/ISSUE_TEMPLATE/bug.yml"),
        change("docs/.github.md"),
        change("git/git.py"),
        change("ünïcode/文件.txt"),
        change("-rf"),
        change("a b:c"),
        deleted("old.py"),
        deleted("link", "120000"),
        deleted("vendor/lib", "160000"),
        change("link", "100644", "T", old_mode="120000"),
    ],
    ids=lambda c: c.path,
)
def test_ordinary_changes_pass(fine: Change) -> None:
    assert judge([fine]) == Verdicts((fine,), (), None)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (change(".github/workflows/ci.yml"), "workflow files need a person"),
        (change(".GitHub/Workflows/ci.yml"), "workflow files need a person"),
        (deleted(".github/workflows/ci.yml"), "workflow files need a person"),
        (change(".github/workflows"), "workflow files need a person"),
        (change(".github/actions/build/index.js"), "workflow files need a person"),
        (change(".github/action.yml"), "action files need a person"),
        (change("build/Action.yaml"), "action files need a person"),
        (change(".gitmodules"), "the addresses of submodules need a person"),
        (change("vendor/lib", "160000"), "submodules need a person"),
        (change("vendor/lib", "160000", "M", old_mode="160000"), "submodules need a person"),
        (change("notes", "120000"), "symbolic links need a person"),
        (change("notes", "120000", "T", old_mode="100644"), "symbolic links need a person"),
        (change("odd", "100600"), "its mode 100600 is not that of a file"),
        (change("big.bin", size=5_000_001), "it has 5.0 MB; a file may have 5.0 MB"),
        (change("/etc/passwd"), "its name is no plain path inside the repository"),
        (change("a/../../b"), "its name is no plain path inside the repository"),
        (change("a//b"), "its name is no plain path inside the repository"),
        (change("a/./b"), "its name is no plain path inside the repository"),
        (change(""), "its name is no plain path inside the repository"),
        (change("a\nb"), "its name has control characters"),
        (change("caf\udce9.txt"), "its name is not UTF-8"),
    ],
    ids=lambda c: getattr(c, "path", "").encode("ascii", "backslashreplace").decode(),
)
def test_these_are_left_out_and_said(change: Change, why: str) -> None:
    """RT-G05, RT-R09"""
    assert reason(change) == why


GIT = "its name is, on some system, that of git's own folder"


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        "sub/.git/hooks/pre-commit",
        ".git",
        ".GIT/config",
        ".Git./config",
        ".git . ./config",
        ".git::$INDEX_ALLOCATION/config",
        ".git:x",
        "git~1/config",
        "GIT~1/config",
        "sub\\.git\\config",
        ".g\u200cit/config",
        ".gi\u200dt/config",
        "\ufeff.git/config",
        ".g\u00adit/config",
        "．ｇｉｔ/config",
        ".gıt/config",
        ".g\u0301it/config",
    ],
    ids=ascii,
)
def test_no_name_that_some_system_takes_for_gits_folder_passes(path: str) -> None:
    """RT-R09"""
    assert reason(change(path)) == GIT
    assert reason(deleted(path)) == GIT


HFS_IGNORES = "\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u206a\u206b\u206c\u206d\u206e\u206f\ufeff"
disguised = st.tuples(
    st.lists(st.text(HFS_IGNORES, max_size=2), min_size=5, max_size=5),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.sampled_from(["", ".", " ", ". .", "::$INDEX_ALLOCATION", ":x", " :y"]),
).map(
    lambda t: (
        "".join(h + (c.upper() if up else c) for h, c, up in zip(t[0], ".git", t[1], strict=False)) + t[0][4] + t[2]
    )
)


@given(
    folder=disguised, parents=st.lists(st.sampled_from(["a", "b c", "x.y"]), max_size=3), slash=st.sampled_from("/\\")
)
def test_nothing_that_git_on_any_system_would_write_into_its_own_folder_passes(
    folder: str, parents: list[str], slash: str
) -> None:
    assert judge([change(slash.join([*parents, folder, "config"]))]).passed == ()


paths = st.text(st.sampled_from(list("ab./\\:~1 GITgit\u200d\n\udce9")), max_size=12) | st.sampled_from(
    ["a.py", ".github/workflows/x", ".github/action.yml"]
)
changes = st.builds(
    change,
    paths,
    mode=st.sampled_from(["100644", "100755", "120000", "160000", "040000"]),
    status=st.sampled_from(("A", "M", "T")),
    size=st.integers(0, 60),
) | st.builds(deleted, paths)
LIMITS = Limits(file_bytes=50, files=4, total_bytes=100)


@given(st.lists(changes, max_size=8, unique_by=lambda c: c.path), st.randoms())
def test_the_verdict_depends_on_the_set_of_changes_and_nothing_else(some: list[Change], shuffle: random.Random) -> None:
    verdicts = judge(some, LIMITS)
    mixed = some.copy()
    shuffle.shuffle(mixed)
    assert judge(mixed, LIMITS) == verdicts
    assert judge(verdicts.passed, LIMITS) == Verdicts(verdicts.passed, (), None)
    assert verdicts.refused or len(verdicts.passed) + len(verdicts.left_out) == len(some)
    for left in verdicts.left_out:
        left.model_dump_json()


def test_too_many_files_refuse_the_whole() -> None:
    verdicts = judge([change(f"f{n}") for n in range(301)])
    assert verdicts.passed == ()
    assert verdicts.refused == "The change has 301 files; a pull request may have 300. Ask for a smaller step."
    assert judge([change(f"f{n}") for n in range(300)]).refused is None


def test_too_many_bytes_refuse_the_whole_and_what_is_left_out_does_not_count() -> None:
    big = [change(f"f{n}", size=4_900_000) for n in range(5)]
    assert judge(big).refused == "The change has 24.5 MB; a pull request may have 20.0 MB. Ask for a smaller step."
    assert judge([*big[:4], change("huge", size=9_000_000)]).refused is None


@pytest.mark.parametrize(
    "path",
    [
        *(
            "tests/api/test_models.py",
            "src/test_x.py",
            "pkg/x_test.go",
            "web/a.spec.ts",
            "a.test.tsx",
            "src/FooTest.java",
        ),
        *(
            "conftest.py",
            "sub/conftest.py",
            "pytest.ini",
            "tox.ini",
            "pyproject.toml",
            "package.json",
            "Makefile",
            "jest.config.js",
        ),
        *(
            ".github/backspace.yml",
            "__tests__/a.js",
            "a/__snapshots__/x.snap",
            "spec/models/user.rb",
            "Cargo.toml",
            "requirements-dev.txt",
        ),
    ],
)
def test_tests_and_the_configuration_of_checks_are_known(path: str) -> None:
    assert touches_tests(["api/models.py", path])


@pytest.mark.parametrize(
    "path", ["api/models.py", "README.md", "contest.java", "src/latest.py", "docs/testing.md", ".github/CODEOWNERS"]
)
def test_other_files_are_not_taken_for_tests(path: str) -> None:
    assert not touches_tests([path])
