"""The repository in a sandbox, against real git over real HTTP."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import UserError
from app.sandbox import checkpoint, cloning, repo
from app.sandbox import git as in_sandbox
from app.sandbox.base import Call, Sandbox
from app.sandbox.local import LocalSandboxes
from app.sandbox.repo import Change
from tests.e2b_cloud.lab import E2B
from tests.sandbox.conftest import in_e2b
from tests.sandbox.git_server import git, serve

TOKEN = "ghs_canary-token"


@dataclass
class Ground:
    sandbox: Sandbox
    url: str
    folder: Path
    """Where the sandbox's files lie on this machine."""
    base: str = ""
    count: int = 0

    async def clone(self, **other: Any) -> str:
        given: dict[str, Any] = {"url": self.url, "token": TOKEN, "branch": "main", **other}
        self.base = await cloning.clone(self.sandbox, seconds=30, **given)
        return self.base

    async def bash(self, command: str) -> str:
        self.count += 1
        result = await self.sandbox.run(Call(f"bash/{self.count}", ("bash", "-ec", f"exec 2>&1\n{command}"), 20))
        assert result.exit_code == 0, result
        return result.stdout.head.decode(errors="surrogateescape")

    async def changes(self, key: str) -> dict[str, Change]:
        return {change.path: change for change in await repo.changes(self.sandbox, self.base, key)}

    async def candidate(self, key: str, leave_out: tuple[str, ...] = ()) -> str:
        paths = [path for path in await self.changes(f"{key}/c") if path not in leave_out]
        return await repo.candidate(self.sandbox, self.base, paths, key)


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    work = tmp_path / "served/o/r"
    (work / "src").mkdir(parents=True)
    for name, data in {
        "README.md": b"# Larder\n",
        "src/a.py": b"a = 1\n",
        "src/odd \n -name": b"odd",
        ".gitignore": b"build/\n*.log\n",
        ".gitattributes": b"*.bat text eol=crlf\n",
        "logo.png": b"\x89PNG\0\0",
        "run.sh": b"#!/bin/sh\n",
    }.items():
        (work / name).write_bytes(data)
    (work / "run.sh").chmod(0o755)
    git(work, "init", "-q")
    git(work, "add", ".")
    crlf = git(work, "hash-object", "-w", "--stdin", "--no-filters", stdin=b"echo\r\n")
    git(work, "update-index", "--add", "--cacheinfo", f"100644,{crlf},old.bat")
    git(work, "commit", "-qm", "First")
    git(work, "branch", "other")
    with serve(tmp_path / "served", TOKEN) as address:
        yield f"{address}/o/r"


@pytest.fixture(params=["bubblewrap", "e2b"])
async def ground(request: pytest.FixtureRequest, origin: str, tmp_path: Path) -> AsyncIterator[Ground]:
    if request.param == "e2b":
        cloud: E2B = request.getfixturevalue("e2b")
        sandbox: Sandbox = await in_e2b(cloud).create(f"{tmp_path}")
        folder = Path(cloud.sandbox(sandbox.id)["disk"])
    else:
        sandbox = await LocalSandboxes(tmp_path / "sandboxes").create("run")
        folder = tmp_path / "sandboxes" / sandbox.id
    yield Ground(sandbox, origin, folder)
    await sandbox.kill()


@pytest.fixture
async def cloned(ground: Ground) -> Ground:
    await ground.clone()
    return ground


async def test_a_clone_is_the_branch_and_holds_no_token(ground: Ground, tmp_path: Path) -> None:
    base = await ground.clone()
    assert base == git(tmp_path / "served/o/r", "rev-parse", "main")
    assert await ground.bash("cat src/a.py; git log --format=%s; git remote -v | head -1") == (
        f"a = 1\nFirst\norigin\t{ground.url} (fetch)\n"
    )
    assert await ground.clone() == base
    files = [path for path in ground.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if b"canary" in path.read_bytes() or b"YWNjZXNzLXRva2Vu" in path.read_bytes()]
    assert await ground.changes("k") == {}


async def test_what_the_asker_can_mend_is_said(ground: Ground) -> None:
    with pytest.raises(UserError, match="no branch 'gone'"):
        await ground.clone(branch="gone")


async def test_a_repository_without_access_is_said(ground: Ground) -> None:
    with pytest.raises(UserError, match="not given access"):
        await ground.clone(token="another")


async def test_other_transports_than_http_are_not_used(ground: Ground, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="transport 'file' not allowed"):
        await ground.clone(url=f"file://{tmp_path}/served/o/r")


NOISE = (os.urandom(150_000), os.urandom(150_000))


@pytest.mark.parametrize(
    ("ground", "files"),
    [("bubblewrap", NOISE), ("bubblewrap", [bytes(300_000)]), ("e2b", NOISE)],
    ids=["pack", "file", "in E2B"],
    indirect=["ground"],
)
async def test_one_that_is_too_large_is_refused_in_words(
    ground: Ground, tmp_path: Path, files: Sequence[bytes]
) -> None:
    """RT-R10: by all that is fetched, or by a file that is small in it."""
    work = tmp_path / "served/o/r"
    for n, content in enumerate(files):
        (work / f"large{n}").write_bytes(content)
    git(work, "add", ".")
    git(work, "commit", "-qm", "Second")
    with pytest.raises(UserError, match="too large for the sandbox"):
        await ground.clone(most=200_000)


@pytest.mark.parametrize("ground", ["bubblewrap"], indirect=True)
async def test_a_server_that_is_down_for_a_moment_is_asked_again(ground: Ground, tmp_path: Path) -> None:
    with serve(tmp_path / "served", TOKEN, [503, 503]) as address:
        assert await ground.clone(url=f"{address}/o/r", pauses=(0, 0))


@pytest.mark.parametrize("ground", ["bubblewrap"], indirect=True)
async def test_a_server_that_stays_down_is_told_of_in_its_own_words(ground: Ground, tmp_path: Path) -> None:
    with (
        serve(tmp_path / "served", TOKEN, trouble := [503] * 3) as address,
        pytest.raises(
            UserError, match=r"^The repository could not be cloned: git says .* error: 503.*Ask again later.$"
        ),
    ):
        await ground.clone(url=f"{address}/o/r", pauses=(0,))
    assert trouble == [503]


@pytest.mark.parametrize("ground", ["bubblewrap"], indirect=True)
async def test_a_commit_that_was_rewritten_meanwhile_is_not_waited_for(ground: Ground) -> None:
    with pytest.raises(UserError, match="does not have the commit any more"):
        await ground.clone(rules="1" * 40, pauses=())


@pytest.mark.parametrize("ground", ["bubblewrap"], indirect=True)
async def test_no_large_file_is_asked_for(ground: Ground, tmp_path: Path) -> None:
    """RT-R08: nor does anybody hear where `.lfsconfig` would have it come from."""
    work, pointer = tmp_path / "served/o/r", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (work / ".lfsconfig").write_text("[lfs]\n\turl = http://127.0.0.1:1/\n")
    (work / ".gitattributes").write_text("*.iso filter=lfs diff=lfs merge=lfs -text\n")
    (work / "a.iso").write_text(pointer)
    git(work, "add", ".")
    git(work, "commit", "-qm", "Second")
    ask = "touch /tmp/asked; cat"
    await ground.bash(f"for of in smudge clean; do git config --global filter.lfs.$of '{ask}'; done")
    await ground.clone()
    assert await ground.changes("k") == {}
    assert await ground.bash("test ! -e /tmp/asked; cat a.iso") == pointer
    told = ("-c", "alias.told=!printenv GIT_LFS_SKIP_SMUDGE", "told")
    assert (await in_sandbox.run(ground.sandbox, *told, key="told")).stdout.head == b"1\n"


async def test_facts_of_the_base_do_not_change_with_the_work_tree(cloned: Ground) -> None:
    """RT-R01"""
    await cloned.bash("rm -r README.md src; echo x > new")
    paths = await repo.tracked(cloned.sandbox, cloned.base, 100)
    assert "src/odd \n -name" in paths
    assert "new" not in paths
    assert len(await repo.tracked(cloned.sandbox, cloned.base, 2)) == 2
    assert await repo.show(cloned.sandbox, cloned.base, "README.md", 100) == "# Larder\n"
    assert await repo.show(cloned.sandbox, cloned.base, "README.md", 3) is None
    assert await repo.show(cloned.sandbox, cloned.base, "logo.png", 100) is None
    assert await repo.show(cloned.sandbox, cloned.base, "src", 100) is None
    assert await repo.show(cloned.sandbox, cloned.base, "none", 100) is None


async def test_the_files_of_another_commit_are_to_be_had_beside_those_of_the_branch(
    ground: Ground, tmp_path: Path
) -> None:
    """RT-R01: also of one that the branch lacks; what is checked out and its history are the branch's."""
    work = tmp_path / "served/o/r"
    (work / "README.md").write_text("# Rules\n")
    git(work, "commit", "-qam", "Second")
    rules = git(work, "rev-parse", "main")
    await ground.clone(branch="other", rules=rules)
    assert await repo.show(ground.sandbox, rules, "README.md", 100) == "# Rules\n"
    assert await repo.tracked(ground.sandbox, rules, 2) == [".gitattributes", ".gitignore"]
    assert await ground.bash("cat README.md; git log --format=%s; git branch -a | cat") == (
        "# Larder\nFirst\n* other\n  remotes/origin/other\n"
    )


async def test_changes_of_every_kind_are_seen(cloned: Ground) -> None:
    """RT-R09"""
    await cloned.bash(
        "echo 'a = 2' > src/a.py; rm src/odd*; echo new > -rf; ln -s /etc/passwd link; chmod -x run.sh; rm README.md; ln -s x README.md;"
        r"printf 1 > $'bad\xff'; printf '\0\1' > bin; echo > x.log; mkdir build __pycache__; echo > build/x; mkfifo p;"
        "echo > __pycache__/x.pyc;"
        "git add -A; git -c user.name=x -c user.email=x commit -qm mine; echo 'a = 3' > src/a.py"
    )
    found = await cloned.changes("k")
    assert {path: (c.status, c.old_mode, c.new_mode, c.size, c.binary) for path, c in found.items()} == {
        "src/a.py": ("M", "100644", "100644", 6, False),
        "src/odd \n -name": ("D", "100644", "000000", 0, False),
        "-rf": ("A", "000000", "100644", 4, False),
        "link": ("A", "000000", "120000", 11, False),
        "run.sh": ("M", "100755", "100644", 10, False),
        "README.md": ("T", "100644", "120000", 1, False),
        "bad\udcff": ("A", "000000", "100644", 1, False),
        "bin": ("A", "000000", "100644", 2, True),
    }
    contents = await repo.contents(cloned.sandbox, list(found.values()), "k")
    assert contents["src/a.py"] == b"a = 3\n"
    assert contents["bin"] == b"\0\1"
    assert contents["link"] == b"/etc/passwd"
    assert "src/odd \n -name" not in contents


async def test_nothing_that_the_agent_configures_changes_what_is_read(cloned: Ground) -> None:
    """RT-R06, RT-R12, RT-G01, RT-G03. Hooks, filters, excludes, replaced objects, index flags: none of it is ours."""
    honest = await cloned.bash("git hash-object README.md")
    await cloned.bash(
        "git config core.hooksPath /tmp; git config core.excludesFile /tmp/all;"
        "echo '*' > /tmp/all; mkdir -p .git/info ~/.config/git; echo '*' > .git/info/exclude; echo '*' > ~/.config/git/ignore;"
        "git config filter.f.clean 'echo filtered'; git config filter.f.smudge 'echo filtered'; echo '* filter=f' > .git/info/attributes;"
        "git config --global filter.f.clean 'echo filtered'; echo '* filter=f' > ~/.config/git/attributes;"
        "git config diff.external 'touch /tmp/ran';"
        "echo 'a = 2' > src/a.py; git update-index --assume-unchanged src/a.py; echo '* filter=f diff=f' >> .gitattributes;"
        "git replace $(git rev-parse :run.sh) $(git rev-parse :README.md); echo new > new;"
        "git config core.fsmonitor 'touch /tmp/ran; true';"
        "mkdir -p .git/hooks; for hook in pre-commit pre-push post-checkout post-index-change reference-transaction; do"
        " printf '#!/bin/sh\\ntouch /tmp/ran\\n' | tee /tmp/$hook > .git/hooks/$hook; chmod +x /tmp/$hook .git/hooks/$hook; done"
    )
    found = await cloned.changes("k")
    assert set(found) == {"src/a.py", ".gitattributes", "new"}
    assert (await repo.contents(cloned.sandbox, list(found.values()), "k"))["new"] == b"new\n"
    tree = await cloned.candidate("k2")
    await repo.diff(cloned.sandbox, cloned.base, tree, "k3", 1000)
    await repo.checkout(cloned.sandbox, tree, "k4")
    assert await cloned.bash("test ! -e /tmp/ran; git hash-object --no-filters README.md") == honest


async def test_work_is_not_lost_with_the_git_directory(cloned: Ground) -> None:
    await cloned.bash("rm -rf .git; echo 'a = 2' > src/a.py")
    assert set(await cloned.changes("k")) == {"src/a.py"}


async def test_the_candidate_is_the_base_and_the_chosen_paths(cloned: Ground) -> None:
    await cloned.bash(
        "echo 'a = 2' > src/a.py; mkdir -p .github/workflows; echo on: > .github/workflows/x.yml; rm logo.png"
    )
    tree = await cloned.candidate("k", leave_out=(".github/workflows/x.yml",))
    diff = await repo.diff(cloned.sandbox, cloned.base, tree, "k", 10_000)
    assert (diff.files, diff.added, diff.removed) == (2, 1, 1)
    assert "-a = 1\n+a = 2\n" in diff.text
    assert "x.yml" not in diff.text
    assert tree == await cloned.candidate("again", leave_out=(".github/workflows/x.yml",))


async def test_checkout_brings_the_work_tree_to_the_tree_and_keeps_what_is_ignored(cloned: Ground) -> None:
    await cloned.bash(
        "echo 'a = 2' > src/a.py; echo new > new; echo left > left; rm README.md; mkdir build .venv nested; echo kept > build/x;"
        "echo kept > .venv/x; cd nested; git init -q; echo x > x; cd ..; mkdir shut; echo x > shut/x; chmod 000 shut"
    )
    tree = await cloned.candidate("k", leave_out=("left", "nested", "shut/x"))
    await cloned.bash("echo 'a = 3' > src/a.py; rm new; echo later > later")
    await repo.checkout(cloned.sandbox, tree, "k")
    await repo.checkout(cloned.sandbox, tree, "k")
    left = await cloned.bash("cat src/a.py new build/x .venv/x; ls -A")
    assert left.startswith("a = 2\nnew\nkept\nkept\n")
    assert not {"left", "later", "nested", "README.md", "shut"} & set(left.split())
    await repo.checkout(cloned.sandbox, f"{cloned.base}^{{tree}}", "base")
    assert await cloned.bash("cat src/a.py README.md") == "a = 1\n# Larder\n"
    assert await cloned.changes("after") == {}


async def test_a_file_that_becomes_a_folder(cloned: Ground) -> None:
    await cloned.bash("rm README.md; mkdir README.md; echo x > README.md/x; rm -r src; echo > src")
    tree = await cloned.candidate("k")
    await repo.checkout(cloned.sandbox, tree, "k")
    assert await cloned.bash("cat README.md/x; cat src") == "x\n\n"


async def test_too_many_changes_are_refused(cloned: Ground) -> None:
    """FL-O09"""
    await cloned.bash("mkdir many; cd many; seq 5001 | xargs touch")
    with pytest.raises(UserError, match="More than 5,000 files"):
        await cloned.changes("k")


async def test_a_nested_repository_is_seen_for_what_it_is(cloned: Ground) -> None:
    await cloned.bash(
        "mkdir empty full; git init -q empty; cd full; git init -q; echo x > x; git add x;"
        "git -c user.name=x -c user.email=x commit -qm x"
    )
    assert {path: change.new_mode for path, change in (await cloned.changes("k")).items()} == {"full": "160000"}


async def test_a_long_diff_is_cut_and_counted_whole(cloned: Ground) -> None:
    await cloned.bash("seq 100000 > long")
    diff = await repo.diff(cloned.sandbox, cloned.base, await cloned.candidate("k"), "k", 1000)
    assert (len(diff.text), diff.added, diff.files) == (1000, 100_000, 1)


WORK = {
    "every kind": "echo 'a = 2' > src/a.py; rm src/odd* README.md; ln -s x README.md; chmod -x run.sh; echo > old.bat; echo new > -rf;"
    r"printf 1 > $'bad\xff'; printf '\0\1' > bin; : > empty; mkdir 'd é'; echo x > 'd é/tab	quote\"'; ln -s /etc/passwd link;"
    "seq 30000 > long; echo > x.log; chmod +x empty",
    "a folder where a file was, no ignores, no `.git`": "rm README.md .gitignore; mkdir README.md; echo x > README.md/x; rm -r src;"
    "echo > src; git -c user.name=x -c user.email=x commit -qam mine; rm -rf .git",
}


@pytest.mark.parametrize("work", WORK)
async def test_a_checkpoint_brings_the_work_to_another_clone(cloned: Ground, tmp_path: Path, work: str) -> None:
    """FL-E02"""
    assert await checkpoint.save(cloned.sandbox, cloned.base, "", "before") is None
    await cloned.bash(WORK[work])
    saved = await checkpoint.save(cloned.sandbox, cloned.base, "", "1")
    assert saved
    assert await checkpoint.save(cloned.sandbox, cloned.base, saved.tree, "2") is None

    other = replace(cloned, sandbox=await LocalSandboxes(tmp_path / "sandboxes").create("other"))
    assert await cloning.clone(other.sandbox, url=other.url, token=TOKEN, branch="main", seconds=30, sha=cloned.base)
    await other.bash("echo left > left-by-setup; mkdir .venv; echo kept > .venv/x")
    await checkpoint.restore(other.sandbox, saved, "1")
    assert await checkpoint.save(other.sandbox, other.base, saved.tree, "3") is None
    listing = "find . -path ./.git -prune -o -path ./.venv -prune -o ! -name x.log -printf '%P %y %l\\n' | sort"
    assert await other.bash(listing) == await cloned.bash(listing)
    assert await other.bash("cat .venv/x") == "kept\n"
    assert await other.changes("k") == await cloned.changes("k")
    await other.sandbox.kill()


@pytest.mark.parametrize("ground", ["bubblewrap"], indirect=True)
async def test_work_taken_back_is_a_checkpoint_too(cloned: Ground) -> None:
    await cloned.bash("echo > new")
    first = await checkpoint.save(cloned.sandbox, cloned.base, "", "1")
    await cloned.bash("rm new")
    assert first
    second = await checkpoint.save(cloned.sandbox, cloned.base, first.tree, "2")
    assert second
    await cloned.bash("echo > later")
    await checkpoint.restore(cloned.sandbox, second, "2")
    assert await cloned.changes("k") == {}


@pytest.mark.parametrize("ground", ["bubblewrap"], indirect=True)
async def test_what_is_too_large_for_a_checkpoint_is_said(cloned: Ground) -> None:
    await cloned.bash("head -c 45000000 /dev/urandom > large")
    with pytest.raises(checkpoint.TooLarge, match="45,"):
        await checkpoint.save(cloned.sandbox, cloned.base, "", "1")


async def test_a_clone_of_a_commit_that_is_no_tip_any_more_into_what_an_earlier_one_left(
    ground: Ground, tmp_path: Path
) -> None:
    """Ignored files stay, all else goes."""
    work = tmp_path / "served/o/r"
    first = git(work, "rev-parse", "main")
    (work / "src/a.py").write_text("a = 5\n")
    git(work, "commit", "-qam", "Second")
    await ground.bash(
        "git init -q; git config core.hooksPath /tmp; mkdir build src; echo kept > build/x; echo left > left; echo > src/a.py;"
        "echo build > .gitignore"
    )
    assert await ground.clone(sha=first) == first
    shown = await ground.bash(
        "git log --format=%s main; cat src/a.py build/x; git status --short; git config -l --local"
    )
    assert shown.startswith("First\na = 1\nkept\n M old.bat\ncore.")
    assert "hookspath" not in shown
    assert await ground.changes("k") == {}
