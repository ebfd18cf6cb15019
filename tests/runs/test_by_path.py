"""A repository of this machine: the work becomes a branch of it, and nothing else of it changes."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import UserError
from app.core.task import CodeRequest, Repository
from app.publish.commit import Work
from app.runs import by_path
from app.runs.by_path import ByPath, folder
from app.runs.ground import Ground
from app.sandbox.base import Call
from app.sandbox.local import LocalSandboxes
from app.sandbox.repo import Change
from tests.sandbox.git_server import git

BRANCH = "backspace/add-the-comma-k3x9"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The asker's: git knows them by name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / ".gitconfig").write_text(
        "[user]\n\tname = Grace\n\temail = grace@example.org\n\tuseConfigOnly = true\n"
    )
    return tmp_path


@pytest.fixture
def theirs(home: Path) -> Path:
    path = home / "larder"
    (path / "src").mkdir(parents=True)
    for name, data in {
        "greet.py": "Hello\n",
        "src/old.py": "old\n",
        "run.sh": "#!/bin/sh\n",
        ".gitattributes": "*.txt filter=loud\n",
    }.items():
        (path / name).write_text(data)
    git(path, "init", "-q")
    git(path, "add", ".")
    git(path, "commit", "-qm", "First")
    return path


def asked(path: Path, branch: str = "") -> CodeRequest:
    return CodeRequest(
        key="t-0k3x9",
        repository=Repository(id=0, full_name=f"local/{path.name}"),
        instruction="Add the comma",
        asked_at="2026-11-22T10:00:00+00:00",
        caller="local",
        path=str(path),
        branch=branch,
    )


def place() -> ByPath:
    return ByPath()


def work(path: Path, scratch: Path) -> tuple[Ground, Work]:
    """What somebody changed in a clone: every kind of change at once."""
    git(path, "clone", "-q", str(path), str(scratch))
    (scratch / "greet.py").write_text("Hello,\n")
    (scratch / "notes.txt").write_text("not for a filter\n")
    (scratch / "odd \n\t -name").write_bytes(b"\0odd")
    (scratch / "run.sh").chmod(0o755)
    (scratch / "link").symlink_to("greet.py")
    shutil.rmtree(scratch / "src")
    (scratch / "src").write_text("a file where a folder was\n")
    git(scratch, "add", "--all")
    tree, base = git(scratch, "write-tree"), git(scratch, "rev-parse", "HEAD")
    fields = iter(git(scratch, "diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", base, tree).split("\0"))
    changes = []
    for field in fields:
        if field:
            old_mode, new_mode, old, new, status = field[1:].split(" ")
            changes.append(Change(next(fields), status, old_mode, new_mode, old, new, 0, False))  # type: ignore[arg-type]
    contents = {
        change.path: os.fsencode(os.readlink(file))
        if (file := scratch / change.path).is_symlink()
        else file.read_bytes()
        for change in changes
        if change.status != "D"
    }
    ground = Ground(run="t-0k3x9.1", request=asked(path), branch="main", start="main", sandbox="", base=base)
    return ground, Work(tree, changes, contents, "Greet with a comma\n\nIt is kinder.")


def state(path: Path) -> dict[str, object]:
    """All of it that must stay as it is: files, index, HEAD, and refs but for the branches of ours."""
    return {
        "files": {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file() and ".git" not in p.parts},
        "index": (path / ".git/index").read_bytes(),
        "HEAD": (path / ".git/HEAD").read_bytes(),
        "refs": [line for line in git(path, "for-each-ref").splitlines() if "refs/heads/backspace/" not in line],
    }  # fmt: skip


@pytest.fixture
def hooked(theirs: Path) -> Iterator[Path]:
    """Every hook of the repository would leave a mark, and so would its filter."""
    mark = theirs.parent / "a-hook-ran"
    for name in (
        "reference-transaction",
        "post-checkout",
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-index-change",
        "fsmonitor",
    ):
        hook = theirs / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >>{mark}\n")
        hook.chmod(0o755)
    git(theirs, "config", "core.fsmonitor", ".git/hooks/fsmonitor")
    git(theirs, "config", "filter.loud.clean", f"touch {mark}; tr a-z A-Z")
    yield theirs
    assert not mark.exists(), mark.read_text()


async def test_exactly_what_was_checked_becomes_a_branch_and_nothing_else_changes(hooked: Path, tmp_path: Path) -> None:
    ground, made = work(hooked, tmp_path / "scratch")
    (hooked / "greet.py").write_text("Half of a thought\n")
    (hooked / "staged.py").write_text("staged\n")
    git(hooked, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "add", "staged.py")
    before = state(hooked)
    done = await place().commit(ground, made)
    assert state(hooked) == before
    assert done.branch == BRANCH
    assert git(hooked, "rev-parse", f"{BRANCH}^{{tree}}", f"{BRANCH}~1").split() == [made.tree, ground.base]
    assert git(hooked, "cat-file", "-p", f"{BRANCH}:notes.txt") == "not for a filter"
    said = git(hooked, "log", "-1", "--format=%an <%ae>, %cn: %B", BRANCH)
    assert said == "Grace <grace@example.org>, Grace: Greet with a comma\n\nIt is kinder.\n\nBackspace-Task: t-0k3x9"
    git(hooked, "-c", "core.fsmonitor=false", "fsck", "--strict")


async def test_the_sandbox_gets_what_is_committed_and_no_way_back(theirs: Path, tmp_path: Path) -> None:
    (theirs / "greet.py").write_text("Half of a thought\n")
    sandbox = await LocalSandboxes(tmp_path / "sandboxes", isolation="none").create("t-0k3x9.1")
    begun = await place().begin("t-0k3x9.1", asked(theirs))
    assert await place().clone("t-0k3x9.1", asked(theirs), sandbox, begun.start) == git(theirs, "rev-parse", "HEAD")
    seen = await sandbox.run(Call("look", ("sh", "-c", "cat greet.py; git status -sb; cat .git/config"), 20))
    await sandbox.kill()
    assert seen.stdout.head.decode().startswith("Hello\n## main\n[core]")
    assert str(theirs).encode() not in seen.stdout.head


async def test_a_commit_that_is_there_since_a_crash_is_the_commit(theirs: Path, tmp_path: Path) -> None:
    ground, made = work(theirs, tmp_path / "scratch")
    first = await place().commit(ground, made)
    assert await place().commit(ground, made) == first
    assert git(theirs, "branch", "--list", "backspace/*").split() == [BRANCH]


async def test_a_branch_of_that_name_stays_and_ours_gets_another(theirs: Path, tmp_path: Path) -> None:
    """Also where another task changed exactly the same."""
    ground, made = work(theirs, tmp_path / "scratch")
    git(theirs, "branch", BRANCH)
    first = await place().commit(ground, made)
    assert first.branch == f"{BRANCH}-2"
    assert git(theirs, "rev-parse", BRANCH) == ground.base
    other = ground.model_copy(update={"request": asked(theirs).model_copy(update={"key": "t-1k3x9"})})
    assert (await place().commit(other, made)).branch == f"{BRANCH}-3"


async def test_a_branch_that_appears_while_ours_is_made_is_not_moved(theirs: Path, tmp_path: Path) -> None:
    git(theirs, "branch", BRANCH)
    base, made = git(theirs, "rev-parse", "HEAD"), git(theirs, "commit-tree", "HEAD^{tree}", "-m", "ours")
    assert (await by_path._point(str(theirs), BRANCH, made)).sha == base
    assert git(theirs, "rev-parse", BRANCH) == base


async def test_a_tree_that_was_not_checked_is_not_published(theirs: Path, tmp_path: Path) -> None:
    ground, made = work(theirs, tmp_path / "scratch")
    with pytest.raises(RuntimeError, match="was checked"):
        await place().commit(ground, Work("0" * 40, made.changes, made.contents, made.summary))
    assert git(theirs, "branch", "--list", "backspace/*") == ""


async def test_where_git_can_not_make_the_branch_it_is_said_in_its_words(theirs: Path, tmp_path: Path) -> None:
    ground, made = work(theirs, tmp_path / "scratch")
    git(theirs, "branch", "backspace")
    with pytest.raises(UserError, match=f"git does not take the branch {BRANCH}: .*'refs/heads/backspace' exists"):
        await place().commit(ground, made)


async def test_a_folder_is_looked_at_before_it_costs_anything(theirs: Path) -> None:
    found = await folder(str(theirs / "src"))
    assert found.model_dump() == {"path": str(theirs), "branch": "main", "dirty": False}
    git(theirs, "checkout", "-q", "--detach")
    (theirs / "new.py").write_text("new\n")
    before = state(theirs)
    found = await folder(str(theirs))
    assert (found.branch, found.dirty) == ("HEAD", True)
    assert state(theirs) == before


async def test_what_can_not_be_worked_on_says_what_to_do(theirs: Path, home: Path) -> None:
    with pytest.raises(UserError, match="There is a branch main already: name another"):
        await folder(str(theirs), "main")
    (home / "plain").mkdir()
    with pytest.raises(UserError, match="plain can't be worked on: git says 'fatal: not a git repository"):
        await folder(str(home / "plain"))
    git(home / "plain", "init", "-q")
    with pytest.raises(UserError, match="plain has no commit yet: commit something"):
        await folder(str(home / "plain"))
    (home / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    with pytest.raises(UserError, match=r"set user.name and user.email"):
        await folder(str(theirs))


async def test_a_bare_repository_has_all_that_is_needed(theirs: Path, tmp_path: Path) -> None:
    ground, made = work(theirs, tmp_path / "scratch")
    git(tmp_path, "clone", "-q", "--bare", str(theirs), "bare.git")
    bare = tmp_path / "bare.git"
    assert (await folder(str(bare))).path == str(bare)
    done = await place().commit(ground.model_copy(update={"request": asked(bare)}), made)
    assert git(bare, "rev-parse", f"{done.branch}^{{tree}}") == made.tree


async def test_started_from_a_hook_of_another_repository(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git tells its hooks by variables where they are."""
    ground, made = work(theirs, tmp_path / "scratch")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "scratch/.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "scratch/.git/index"))
    done = await place().commit(ground, made)
    monkeypatch.undo()
    assert git(theirs, "rev-parse", done.branch) == done.sha


async def test_a_branch_that_git_has_no_room_for_is_refused_before_it_costs_anything(theirs: Path) -> None:
    git(theirs, "branch", "fix")
    with pytest.raises(UserError, match="no room"):
        await folder(str(theirs), "fix/a")


async def test_a_branch_whose_last_commit_says_nothing_is_taken_like_any_other(theirs: Path) -> None:
    empty = git(theirs, "commit-tree", "HEAD^{tree}", "-m", "").strip()
    git(theirs, "update-ref", "refs/heads/quiet", empty)
    with pytest.raises(UserError, match="name another"):
        await folder(str(theirs), "quiet")
