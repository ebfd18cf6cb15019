"""A repository that the server fetches itself and hands into a sandbox, against real git."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.core.errors import UserError
from app.runs import fetched as module
from app.runs.fetched import fetched
from app.sandbox import bundle, repo
from app.sandbox.base import Call, Sandbox
from app.sandbox.local import LocalSandboxes
from tests.sandbox.git_server import git, serve

TOKEN = "github_pat_canary"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository with more history than is fetched."""
    work = tmp_path / "served/o/r"
    work.mkdir(parents=True)
    git(work, "init", "-q", "-b", "main")
    for n in range(module.DEPTH + 5):
        (work / "a.txt").write_text(f"{n}\n")
        git(work, "add", ".")
        git(work, "commit", "-q", "-m", f"{n}")
    return work


@pytest.fixture
def address(tmp_path: Path, work: Path) -> Iterator[str]:
    with serve(tmp_path / "served", TOKEN) as url:
        yield url


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    made = await LocalSandboxes(tmp_path / "sandboxes", isolation="none").create("run-1")
    yield made
    await made.kill()


async def test_it_comes_into_the_sandbox_as_if_it_had_been_cloned_there(
    sandbox: Sandbox, work: Path, address: str
) -> None:
    tip = git(work, "rev-parse", "HEAD").strip()
    base = await bundle.clone(sandbox, await fetched(f"{address}/o/r/.git", "refs/heads/main", TOKEN), branch="main")
    assert base == tip
    look = "git status -sb; git log --oneline | wc -l; git config -l --local; cat a.txt; echo more >b.txt"
    seen = (await sandbox.run(Call("look", ("sh", "-c", look), 20))).stdout.head.decode()
    assert seen.startswith("## main\n50\n")
    assert seen.endswith("54\n")
    assert "remote" not in seen
    assert [change.path for change in await repo.changes(sandbox, base, "c")] == ["b.txt"]


async def test_a_folder_of_this_machine_needs_no_address_and_any_of_its_commits_can_be_had(
    sandbox: Sandbox, work: Path
) -> None:
    old = git(work, "rev-parse", "HEAD~3").strip()
    assert await bundle.clone(sandbox, await fetched(str(work), old), branch="main") == old


async def test_the_files_of_another_commit_are_laid_beside_it(sandbox: Sandbox, work: Path) -> None:
    """RT-R01: what commands see of the repository stays as it is."""
    old = git(work, "rev-parse", "HEAD~3").strip()
    await bundle.clone(sandbox, await fetched(str(work), old), branch="other")
    await bundle.lay_beside(sandbox, await fetched(str(work), "refs/heads/main", depth=1))
    assert await repo.show(sandbox, git(work, "rev-parse", "main"), "a.txt", 100) == "54\n"
    seen = (
        await sandbox.run(Call("look", ("sh", "-c", "git log --oneline | wc -l; git status -sb; cat a.txt"), 20))
    ).stdout
    assert seen.head == b"50\n## other\n51\n"


async def test_what_is_not_there_for_us_is_said(work: Path, address: str) -> None:
    with pytest.raises(UserError, match="can't be read"):
        await fetched(f"{address}/o/r/.git", "refs/heads/main", "another token")
    with pytest.raises(UserError, match="does not have"):
        await fetched(f"{address}/o/r/.git", "refs/heads/gone", TOKEN)


async def test_a_redirect_is_not_followed(work: Path, address: str) -> None:
    """RT-A03: the other host hears of nothing, least of all the token."""
    heard: list[str] = []

    async def move(request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently(f"{other.make_url('/o/r/.git')}/info/refs?service=git-upload-pack")

    async def hear(request: web.Request) -> web.Response:
        heard.append(request.path)
        return web.Response()

    here, there = web.Application(), web.Application()
    here.router.add_get("/{path:.*}", move)
    there.router.add_get("/{path:.*}", hear)
    async with TestServer(here) as moved, TestServer(there) as other:
        with pytest.raises(UserError, match="can't be fetched from there"):
            await fetched(f"{moved.make_url('/')!s}o/r.git", "refs/heads/main", TOKEN)
    assert heard == []


async def test_one_that_is_too_large_is_refused_in_words(work: Path) -> None:
    """RT-R10."""
    (work / "noise").write_bytes(os.urandom(300_000))
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "noise")
    with pytest.raises(UserError, match="too large"):
        await fetched(str(work), "HEAD", most=200_000)


async def test_a_server_without_git_says_so(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(UserError, match="git is not installed"):
        await fetched(str(work), "HEAD")


@pytest.mark.parametrize("source", ["ext::sh -c 'touch owned'", "ssh://127.0.0.1/o/r", "/nowhere/at/all"])
async def test_no_other_transport_is_taken(source: str) -> None:
    with pytest.raises(UserError, match="can't be fetched"):
        await fetched(source, "refs/heads/main")
