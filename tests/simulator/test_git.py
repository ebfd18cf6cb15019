"""Branches, trees, commits and pull requests, by REST and by git itself."""

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.conftest import GitHub, Reply

BOT_MAIL = "users.noreply.github.com"


async def git(*args: str, cwd: Path | None = None) -> tuple[int, str]:
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
    process = await asyncio.create_subprocess_exec(
        "git", *args, cwd=cwd, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


def address(github: GitHub, token: str = "") -> str:
    credentials = f"x-access-token:{token}@" if token else ""
    return f"{github.url.replace('://', f'://{credentials}')}/{github.full_name}.git"


async def tree(github: GitHub, *entries: dict[str, Any]) -> Reply:
    base = (await github.rest("GET", f"/git/commits/{github.head}")).body["tree"]["sha"]
    return await github.rest("POST", "/git/trees", {"base_tree": base, "tree": list(entries)})


def text(path: str, content: str, mode: str = "100644") -> dict[str, Any]:
    return {"path": path, "mode": mode, "type": "blob", "content": content}


async def branch(github: GitHub, name: str, *entries: dict[str, Any]) -> str:
    """A new branch with one commit on top of main. Returns its SHA."""
    made = (await tree(github, *entries)).body["sha"]
    asked = {"message": "Change it\n\nBecause.", "tree": made, "parents": [github.head]}
    sha: str = (await github.rest("POST", "/git/commits", asked)).body["sha"]
    assert (await github.rest("POST", "/git/refs", {"ref": f"refs/heads/{name}", "sha": sha})).status == 201
    return sha


async def pull(github: GitHub, head: str, **more: Any) -> Reply:
    return await github.rest("POST", "/pulls", {"title": "A change", "head": head, "base": "main", **more})


async def test_a_tree_is_what_git_makes_of_it(github: GitHub, tmp_path: Path) -> None:
    blob = {"encoding": "base64", "content": base64.b64encode(b"\0\xff").decode()}
    sha = (await github.rest("POST", "/git/blobs", blob)).body["sha"]
    await branch(
        github,
        "backspace/1-x",
        text("README.md", "# Bye\n"),
        text("new/deep/er.sh", "#!/bin/sh\n", "100755"),
        {"path": "data.bin", "mode": "100644", "type": "blob", "sha": sha},
        {"path": "a/b.txt", "mode": "100644", "type": "blob", "sha": None},
    )
    code, out = await git("clone", "-q", "-b", "backspace/1-x", address(github), str(tmp_path / "c"))
    assert code == 0, out
    _, listed = await git("ls-tree", "-r", "HEAD", cwd=tmp_path / "c")
    modes = {line.split("\t")[1]: line.split()[0] for line in listed.splitlines()}
    assert modes == {"README.md": "100644", "data.bin": "100644", "new/deep/er.sh": "100755", "run.sh": "100755"}
    assert (tmp_path / "c/data.bin").read_bytes() == b"\0\xff"
    assert (tmp_path / "c/README.md").read_text() == "# Bye\n"
    assert await github.violations() == []


async def test_a_commit_without_author_is_the_bots_and_signed(github: GitHub) -> None:
    sha = await branch(github, "one", text("x", "x"))
    commit = (await github.rest("GET", f"/git/commits/{sha}")).body
    assert commit["author"]["name"] == f"{github.slug}[bot]"
    assert commit["author"]["email"] == f"{github.bot_id}+{github.slug}[bot]@{BOT_MAIL}"
    assert commit["verification"]["verified"] is True
    assert commit["message"] == "Change it\n\nBecause."
    assert [p["sha"] for p in commit["parents"]] == [github.head]
    named = {
        "message": "m",
        "tree": commit["tree"]["sha"],
        "parents": [sha],
        "author": {"name": "Ada", "email": "ada@example.com"},
    }
    assert (await github.rest("POST", "/git/commits", named)).body["verification"]["verified"] is False
    assert await github.violations() == []


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        ({"path": "nowhere.txt", "mode": "100644", "type": "blob", "sha": None}, 422),
        (text("../out", "x"), 422),
        (text("/abs", "x"), 422),
        (text(".git/config", "x"), 422),
        (text("x", "x", "100600"), 422),
        ({"path": "x", "mode": "100644", "type": "blob", "sha": "1" * 40}, 422),
        ({"path": "x", "mode": "100644", "type": "blob"}, 422),
        (text(".github/workflows/ci.yml", "on: push"), 403),
    ],
)
async def test_a_wrong_tree_is_refused(github: GitHub, entry: dict[str, Any], status: int) -> None:
    assert (await tree(github, entry)).status == status


async def test_a_branch_is_made_once_and_moved_only_forward(github: GitHub) -> None:
    first, second = await branch(github, "one", text("x", "1")), await branch(github, "two", text("x", "2"))
    taken = await github.rest("POST", "/git/refs", {"ref": "refs/heads/one", "sha": second})
    assert (taken.status, taken.body["message"]) == (422, "Reference already exists")
    missing = await github.rest("POST", "/git/refs", {"ref": "refs/heads/three", "sha": "1" * 40})
    assert (missing.status, missing.body["message"]) == (422, "Object does not exist")
    sideways = await github.rest("PATCH", "/git/refs/heads/one", {"sha": second})
    assert (sideways.status, sideways.body["message"]) == (422, "Update is not a fast forward")
    assert (await github.rest("PATCH", "/git/refs/heads/one", {"sha": second, "force": True})).status == 200
    assert (await github.rest("GET", "/git/ref/heads/one")).body["object"]["sha"] == second
    assert (await github.rest("GET", "/git/ref/heads/on")).status == 404
    matching = (await github.rest("GET", "/git/matching-refs/heads/t")).body
    assert [r["ref"] for r in matching] == ["refs/heads/two"]
    head = (await github.rest("GET", "/branches/two")).body
    assert head["commit"]["sha"] == second != first
    assert (await github.rest("GET", "/branches/nine")).status == 404
    assert await github.violations() == []


async def test_an_empty_repository_has_no_git_data(github: GitHub) -> None:
    empty = {"owner": github.owner, "name": "empty", "app_id": github.app_id}
    await github.sim("POST", "/repos", empty)
    github.full_name = f"{github.owner}/empty"
    reply = await github.rest("GET", "/git/ref/heads/main")
    assert (reply.status, reply.body["message"]) == (409, "Git Repository is empty.")


async def test_a_pull_request_opens_once(github: GitHub) -> None:
    sha = await branch(github, "one", text("README.md", "# Hi\n"), text("new", "x\n"))
    made = await pull(github, "one", body="Fixes #1", draft=True)
    assert made.status == 201
    body = made.body
    assert (body["head"]["sha"], body["base"]["sha"], body["draft"]) == (sha, github.head, True)
    assert (body["commits"], body["changed_files"], body["additions"], body["deletions"]) == (1, 2, 2, 1)
    again = await pull(github, "one")
    assert again.status == 422
    assert again.body["errors"][0]["message"] == f"A pull request already exists for {github.owner}:one."
    found = await github.rest("GET", f"/pulls?head={github.owner}:one&state=all")
    assert [p["number"] for p in found.body] == [body["number"]]
    assert (await github.rest("GET", f"/pulls?head={github.owner}:two")).body == []
    edited = await github.rest("PATCH", f"/pulls/{body['number']}", {"title": "Better", "state": "closed"})
    assert (edited.body["title"], edited.body["state"]) == ("Better", "closed")
    assert (await github.rest("GET", "/pulls")).body == []
    assert (await github.rest("GET", f"/issues/{body['number']}")).body["pull_request"]["url"] == body["url"]
    state = (await github.state())["pulls"][0]
    assert (state["head"], state["state"], "+# Hi" in state["diff"]) == ("one", "closed", True)
    assert await github.violations() == []


async def test_a_pull_request_needs_commits_and_branches(github: GitHub) -> None:
    await github.rest("POST", "/git/refs", {"ref": "refs/heads/same", "sha": github.head})
    same = await pull(github, "same")
    assert same.body["errors"][0]["message"] == "No commits between main and same"
    assert (await pull(github, "nowhere")).body["errors"][0]["field"] == "head"
    token = await github.token(permissions={"pull_requests": "read"})
    asked = {"title": "x", "head": "same", "base": "main"}
    assert (await github.rest("POST", "/pulls", asked, token=token)).status == 403
    assert await github.violations() == []


async def test_clone_and_push_are_what_the_token_permits(github: GitHub, tmp_path: Path) -> None:
    reads, writes = [await github.token(permissions={"contents": level}) for level in ("read", "write")]
    clone = tmp_path / "clone"
    code, out = await git("clone", "-q", "--depth=1", address(github, reads), str(clone))
    assert code == 0, out
    assert (clone / "run.sh").stat().st_mode & 0o100
    (clone / "pushed").write_text("x" * 2_000_000)
    await git("add", "-A", cwd=clone)
    await git("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "x", cwd=clone)
    code, out = await git("push", "-q", address(github, reads), "HEAD:refs/heads/pushed", cwd=clone)
    assert (code != 0, "403" in out) == (True, True)
    code, out = await git("push", "-q", address(github, writes), "HEAD:refs/heads/pushed", cwd=clone)
    assert code == 0, out
    assert "pushed" in (await github.state())["branches"]
    code, out = await git("push", "-q", address(github, "ghs_wrong"), "HEAD:refs/heads/no", cwd=clone)
    assert code != 0
    assert "Authentication failed" in out


async def test_a_branch_with_changed_workflows_needs_their_permission(github: GitHub, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    await git("clone", "-q", address(github), str(clone))
    (clone / ".github/workflows").mkdir(parents=True)
    (clone / ".github/workflows/ci.yml").write_text("on: push\n")
    await git("add", "-A", cwd=clone)
    await git("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "x", cwd=clone)
    await git("push", "-q", address(github, await github.token()), "HEAD:refs/heads/by-hand", cwd=clone)
    sha = (await github.state())["branches"]["by-hand"]
    refused = await github.rest("POST", "/git/refs", {"ref": "refs/heads/again", "sha": sha})
    assert (refused.status, refused.body["message"]) == (403, "Resource not accessible by integration")


async def test_a_private_repository_is_not_shown_to_anybody(github: GitHub, tmp_path: Path) -> None:
    await github.sim("POST", "/repos", {"owner": github.owner, "name": "secret", "files": {"a": "a"}, "private": True})
    github.full_name = f"{github.owner}/secret"
    for token in ("", await github.token()):
        code, _ = await git("clone", "-q", address(github, token), str(tmp_path / "no"))
        assert code != 0


async def test_a_folder_becomes_a_repository(github: GitHub, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / 'bin/do "it".sh').write_text("#!/bin/sh\n")
    (tmp_path / 'bin/do "it".sh').chmod(0o755)
    (tmp_path / "link").symlink_to("bin")
    made = await github.sim(
        "POST", "/repos", {"owner": github.owner, "name": "folder", "archive": str(tmp_path), "app_id": github.app_id}
    )
    github.full_name = f"{github.owner}/folder"
    listed = (await github.rest("GET", f"/git/trees/{made['head']}?recursive=1")).body["tree"]
    assert {e["path"]: e["mode"] for e in listed} == {"bin": "040000", 'bin/do "it".sh': "100755", "link": "120000"}
    assert await github.violations() == []
