"""People's tokens, forks, and pull requests from them, as GitHub does it."""

import asyncio
from typing import Any

from app.simulator.rest.forks import SECONDS
from tests.simulator.conftest import GitHub, Reply


class Person:
    """Somebody with a personal access token."""

    def __init__(self, github: GitHub, login: str, token: str) -> None:
        self.github, self.login, self.token = github, login, token

    async def ask(self, method: str, path: str, data: Any = None) -> Reply:
        return await self.github.call(method, f"/api/v3{path}", data, token=self.token)


async def person(github: GitHub, role: str = "") -> Person:
    login = f"mona-{github.owner}"
    token = (await github.sim("POST", "/tokens", {"user": login}))["token"]
    if role:
        await github.sim("PUT", f"/repos/{github.full_name}/collaborators/{login}", {"role": role})
    return Person(github, login, token)


async def commit(mona: Person, repository: str, parent: str) -> str:
    base = f"/repos/{repository}/git"
    tree = (await mona.ask("GET", f"{base}/commits/{parent}")).body["tree"]["sha"]
    entries = [{"path": "new.txt", "mode": "100644", "type": "blob", "content": "new\n"}]
    made = await mona.ask("POST", f"{base}/trees", {"base_tree": tree, "tree": entries})
    asked = {"message": "New", "tree": made.body["sha"], "parents": [parent]}
    sha: str = (await mona.ask("POST", f"{base}/commits", asked)).body["sha"]
    return sha


async def test_a_token_is_a_persons_with_that_persons_rights(github: GitHub) -> None:
    mona = await person(github)
    assert mona.token.startswith("github_pat_")
    assert (await mona.ask("GET", "/user")).body["login"] == mona.login
    seen = await mona.ask("GET", f"/repos/{github.full_name}")
    assert (seen.body["permissions"]["push"], seen.body["permissions"]["pull"], seen.body["fork"]) == (
        False,
        True,
        False,
    )
    refused = await mona.ask("POST", f"/repos/{github.full_name}/git/refs", {"ref": "refs/heads/x", "sha": github.head})
    assert (refused.status, refused.body["message"]) == (403, "Resource not accessible by personal access token")
    await person(github, "write")
    assert (await mona.ask("GET", f"/repos/{github.full_name}")).body["permissions"]["push"]
    made = await commit(mona, github.full_name, github.head)
    seen = await mona.ask("GET", f"/repos/{github.full_name}/git/commits/{made}")
    assert (seen.body["author"]["name"], seen.body["verification"]["verified"]) == (mona.login, False)
    assert (await github.call("GET", "/api/v3/user", token=await github.token())).status == 403
    assert await github.violations() == []


async def test_a_fork_comes_a_moment_later_and_is_made_once(github: GitHub) -> None:
    mona = await person(github)
    first = await mona.ask("POST", f"/repos/{github.full_name}/forks", {"default_branch_only": True})
    name = first.body["full_name"]
    assert (first.status, first.body["fork"], name) == (202, True, f"{mona.login}/widgets")
    assert (await mona.ask("GET", f"/repos/{name}/git/ref/heads/main")).status == 409
    assert (await mona.ask("POST", f"/repos/{github.full_name}/forks")).body["id"] == first.body["id"]
    await asyncio.sleep(SECONDS)
    assert (await mona.ask("GET", f"/repos/{name}/git/ref/heads/main")).body["object"]["sha"] == github.head
    assert (await mona.ask("GET", f"/repos/{name}")).body["parent"]["full_name"] == github.full_name
    assert await github.violations() == []


async def test_a_pull_request_from_a_fork(github: GitHub) -> None:
    """On a base that the fork's own branch does not have yet: objects are shared."""
    mona = await person(github)
    name = (await mona.ask("POST", f"/repos/{github.full_name}/forks")).body["full_name"]
    asked_for = {"message": "Newer", "tree": await _tree(github), "parents": [github.head]}
    newer = (await github.rest("POST", "/git/commits", asked_for)).body["sha"]
    await github.rest("PATCH", "/git/refs/heads/main", {"sha": newer, "force": False})
    await asyncio.sleep(SECONDS)
    sha = await commit(mona, name, newer)
    await mona.ask("POST", f"/repos/{name}/git/refs", {"ref": "refs/heads/fix", "sha": sha})
    asked = {"title": "Fix", "head": f"{mona.login}:fix", "base": "main", "body": "", "maintainer_can_modify": True}
    made = await mona.ask("POST", f"/repos/{github.full_name}/pulls", asked)
    assert made.status == 201
    assert (made.body["head"]["repo"]["full_name"], made.body["head"]["sha"]) == (name, sha)
    assert (made.body["user"]["login"], made.body["maintainer_can_modify"]) == (mona.login, True)
    again = await mona.ask("POST", f"/repos/{github.full_name}/pulls", asked)
    assert again.body["errors"][0]["message"] == f"A pull request already exists for {mona.login}:fix."
    found = await mona.ask("GET", f"/repos/{github.full_name}/pulls?head={mona.login}:fix&state=all")
    assert [it["number"] for it in found.body] == [made.body["number"]]
    kept = await mona.ask("GET", f"/repos/{github.full_name}/git/commits/{sha}")
    assert kept.status == 200
    assert await github.violations() == []


async def _tree(github: GitHub) -> str:
    tree: str = (await github.rest("GET", f"/git/commits/{github.head}")).body["tree"]["sha"]
    return tree


async def test_a_protected_branch_is_not_moved(github: GitHub) -> None:
    await github.sim("PATCH", f"/repos/{github.full_name}", {"protected": ["main"]})
    assert (await github.rest("GET", "/branches/main")).body["protected"]
    refused = await github.rest("PATCH", "/git/refs/heads/main", {"sha": github.head})
    assert (refused.status, "protected ref" in refused.body["message"]) == (422, True)
