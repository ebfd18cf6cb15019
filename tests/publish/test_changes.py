"""The gate: what may leave the sandbox, by name, mode and size; and what a person may let through."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.publish import names
from app.publish.changes import Limits, Verdicts, judge, touches_tests
from app.sandbox.repo import Change, Status


def change(
    path: str,
    mode: str = "100644",
    status: Status = "A",
    size: int = 10,
    old_mode: str = "000000",
    sha: str = "1" * 40,
) -> Change:
    return Change(path, status, old_mode, mode, "0" * 40, sha, size, False)


def deleted(path: str, old_mode: str = "100644") -> Change:
    return change(path, "000000", "D", 0, old_mode, "0" * 40)


def reason(change: Change) -> str | None:
    verdicts = judge([change])
    assert len(verdicts.passed) + len(verdicts.left_out) == 1
    return verdicts.left_out[0].reason if verdicts.left_out else None


@pytest.mark.parametrize(
    "fine",
    [
        change("api/models.py"),
        change("run.sh", "100755", "M", old_mode="100755"),
        change("run.sh", "100644", "M", old_mode="100755"),
        change(".gitignore"),
        change(".editorconfig"),
        change(".env.example"),
        change(".changeset/brave-cats-run.md"),
        change("docs/agents.rst"),
        change("src/workflows/ci.yml"),
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
        (change(".github./workflows ./ci.yml"), "workflow files need a person"),
        (change(".github\\workflows\\ci.yml"), "workflow files need a person"),
        (change(".g\u200dithub/workflows/ci.yml"), "workflow files need a person"),
        (change("GITHUB~1/WORKFL~1/ci.yml"), "its name is, on Windows, the short form of another"),
        (change(".github/actions/build/index.js"), "action files need a person"),
        (change(".github/action.yml"), "action files need a person"),
        (change("build/Action.yaml"), "action files need a person"),
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


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (("action.yml", "build/Action.yaml", ".github/actions/x/index.js"), "action files need a person"),
        (("CODEOWNERS", ".github/CODEOWNERS", "docs/codeowners", ".gitlab/CODEOWNERS"), "it decides who has to review"),
        (
            ("AGENTS.md", "pkg/CLAUDE.md", "Claude.MD", "GEMINI.md", ".cursorrules", ".github/copilot-instructions.md"),
            "agents take it for instructions",
        ),
        (
            (".github/backspace.yml", ".github/dependabot.yml", ".github/ISSUE_TEMPLATE/bug.yml", ".GitHub/x"),
            "it tells GitHub what to do",
        ),
        ((".gitlab-ci.yml", "Jenkinsfile", "azure-pipelines.yml"), "it tells CI what to run"),
        ((".gitattributes", "sub/.gitattributes", ".gitmodules", ".lfsconfig"), "it tells git what to do"),
        (
            (".mcp.json", ".npmrc", "web/.yarnrc.yml", ".pypirc", ".pre-commit-config.yaml"),
            "it tells tools what to run or to trust",
        ),
        ((".env", ".env.production", "web/.ENV"), "it sets the environment, and may hold secrets"),
        (
            (
                ".vscode/tasks.json",
                ".claude/settings.json",
                ".devcontainer/x",
                ".husky/pre-commit",
                ".githooks/pre-push",
                "a/.idea/x",
            ),
            "it lies in a folder that tools keep for themselves",
        ),
    ],
)
def test_a_person_is_asked_about_what_acts_by_its_name(paths: tuple[str, ...], why: str) -> None:
    """RT-G05, RT-G06, RT-R02, RT-R12"""
    for path in paths:
        for some in (change(path), change(path, status="M", old_mode="100644"), deleted(path)):
            verdicts = judge([some])
            assert (verdicts.asked, verdicts.left_out[0].reason) == ((path,), why)


def test_a_person_is_asked_about_a_new_executable_and_a_symbolic_link() -> None:
    """RT-G11"""
    assert judge([change("run.sh", "100755")]).left_out[0].reason == "it became executable"
    assert judge([change("run.sh", "100755", "M", old_mode="100644")]).asked == ("run.sh",)
    assert judge([change("notes", "120000")]).asked == ("notes",)
    assert judge([change("lib", "160000")]).asked == ()


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


def disguised(name: str) -> st.SearchStrategy[str]:
    """The name as macOS or Windows still takes it for the same."""
    hidden = st.lists(st.text(HFS_IGNORES, max_size=2), min_size=len(name), max_size=len(name))
    upper = st.lists(st.booleans(), min_size=len(name), max_size=len(name))
    ends = st.sampled_from(["", ".", " ", ". .", "::$INDEX_ALLOCATION", ":x", " :y", "\u200d"])
    return st.builds(
        lambda hides, ups, end: (
            "".join(h + (c.upper() if up else c) for h, c, up in zip(hides, name, ups, strict=True)) + end
        ),
        hidden,
        upper,
        ends,
    )


@given(
    folder=disguised(".git"),
    parents=st.lists(st.sampled_from(["a", "b c", "x.y"]), max_size=3),
    slash=st.sampled_from("/\\"),
)
def test_nothing_that_git_on_any_system_would_write_into_its_own_folder_passes(
    folder: str, parents: list[str], slash: str
) -> None:
    """RT-R09"""
    assert judge([change(slash.join([*parents, folder, "config"]))]).passed == ()


@given(disguised(".github"), disguised("workflows"), st.sampled_from("/\\"), st.sampled_from("AMD"))
def test_nothing_that_any_system_would_write_into_the_folder_of_workflows_passes(
    folder: str, inner: str, slash: str, status: Status
) -> None:
    """RT-G05: nor can anybody approve it."""
    path = slash.join([folder, inner, "x.yml"])
    verdicts = judge([deleted(path) if status == "D" else change(path, status=status)])
    assert (verdicts.passed, verdicts.asked) == ((), ())


paths = st.text(st.sampled_from(list("ab./\\:~1 GITgit\u200d\n\udce9")), max_size=12) | st.sampled_from(
    ["a.py", ".github/workflows/x", ".github/action.yml", "AGENTS.md", ".vscode/tasks.json", ".github", "a"]
)
changes = st.builds(
    change,
    paths,
    mode=st.sampled_from(["100644", "100755", "120000", "160000", "040000"]),
    status=st.sampled_from(("A", "M", "T")),
    size=st.integers(0, 60),
) | st.builds(deleted, paths)
LIMITS = Limits(file_bytes=50, files=4, total_bytes=100)
WIDE = Limits(file_bytes=50)


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


@given(st.lists(changes, max_size=8, unique_by=lambda c: c.path))
def test_an_approval_lets_through_what_was_asked_about_and_nothing_else(some: list[Change]) -> None:
    asked = judge(some, WIDE)
    let = judge(some, WIDE, approved=frozenset({asked.approval}))
    assert bool(asked.approval) == bool(asked.asked)
    assert {c.path for c in let.passed} == {c.path for c in asked.passed} | {
        c.path for c in some if names.showable(c.path) in asked.asked
    }
    assert (let.asked, let.approval) == ((), "")


@pytest.mark.parametrize(
    "later",
    [
        [change("AGENTS.md", sha="2" * 40)],
        [change("AGENTS.md", "100755")],
        [change("CLAUDE.md")],
        [change("AGENTS.md"), change("CLAUDE.md")],
        [deleted("AGENTS.md")],
    ],
    ids=["another content", "another mode", "another path", "one more", "deleted"],
)
def test_an_approval_is_of_exactly_that_content(later: list[Change]) -> None:
    """RT-G06: a draft of the agent's that somebody approved says nothing about its next one."""
    approval = judge([change("AGENTS.md")]).approval
    assert judge([change("AGENTS.md")], approved=frozenset({approval})).asked == ()
    assert judge(later, approved=frozenset({approval})).passed == ()


def test_what_is_stripped_can_not_be_approved() -> None:
    """RT-G05, RT-G11"""
    some = [change(".github/workflows/ci.yml"), change("AGENTS.md"), change("lib", "160000")]
    asked = judge(some)
    assert asked.asked == ("AGENTS.md",)
    assert [c.path for c in judge(some, approved=frozenset({asked.approval})).passed] == ["AGENTS.md"]


@pytest.mark.parametrize(
    ("gone", "instead"),
    [
        (".github/workflows/ci.yml", ".github"),
        (".github/workflows/ci.yml", ".github/workflows"),
        ("docs/CODEOWNERS", "docs"),
        ("CODEOWNERS", "CODEOWNERS/x"),
        ("a/b/.mcp.json", "a"),
    ],
)
def test_nothing_that_is_left_out_is_deleted_by_what_takes_its_place(gone: str, instead: str) -> None:
    """A file where a folder was removes the folder from the tree, and the other way round."""
    verdicts = judge([deleted(gone), change(instead), change("b.py")])
    assert [c.path for c in verdicts.passed] == ["b.py"]
    stripped = ".github" in gone
    assert bool(verdicts.asked) != stripped
    assert len(judge([deleted(gone), change(instead)], approved=frozenset({verdicts.approval})).passed) == 2 * (
        not stripped
    )


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
