"""Git Data: refs, that is branches."""

from typing import Any

from aiohttp import web

from app.simulator import auth, git
from app.simulator.keys import WORLD
from app.simulator.problems import Problem, not_found
from app.simulator.rest.git_data import WORKFLOWS, git_repository
from app.simulator.rest.wire import Routes, body_of, reply, text
from app.simulator.state import Repository, World
from app.simulator.views import node


def _view(world: World, repository: Repository, name: str, sha: str) -> dict[str, Any]:
    base = f"{world.api}/repos/{repository.full_name}/git"
    return {
        "ref": name,
        "node_id": node("REF", repository.id) + name,
        "url": f"{base}/{name}",
        "object": {"sha": sha, "type": "commit", "url": f"{base}/commits/{sha}"},
    }


async def get_ref(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], await git_repository(request, "read")
    name = f"refs/{request.match_info['ref']}"
    sha = (await git.refs(repository.path, name)).get(name)
    if sha is None:
        raise not_found()
    return reply(_view(world, repository, name, sha))


async def matching_refs(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], await git_repository(request, "read")
    found = await git.refs(repository.path, f"refs/{request.match_info['ref']}")
    return reply([_view(world, repository, name, sha) for name, sha in found.items()])


async def create_ref(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], await git_repository(request, "write")
    data = await body_of(request)
    name, sha = text(data, "ref"), text(data, "sha")
    if not name.startswith("refs/") or name.count("/") < 2:
        raise Problem(422, "Reference name must start with 'refs/' and contain at least three path components.")
    if not await git.valid_ref(repository.path, name):
        raise Problem(422, f"{name} is not a valid ref name.")
    await _must_be_commit(repository, sha)
    if name in await git.refs(repository.path, name):
        raise Problem(422, "Reference already exists")
    await _guard_workflows(request, repository, sha)
    try:
        await git.update_ref(repository.path, name, sha, git.NONE)
    except git.GitError as e:
        words = "Reference already exists" if "already exists" in str(e) else "Reference update failed"
        raise Problem(422, words) from None
    view = _view(world, repository, name, sha)
    return reply(view, status=201, headers={"Location": view["url"]})


async def update_ref(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], await git_repository(request, "write")
    data, name = await body_of(request), f"refs/{request.match_info['ref']}"
    sha, old = text(data, "sha"), (await git.refs(repository.path, name)).get(name)
    if old is None:
        raise Problem(422, "Reference does not exist")
    await _must_be_commit(repository, sha)
    if name.removeprefix("refs/heads/") in repository.protected:
        raise Problem(422, "Repository rule violations found\n\nCannot update this protected ref.")
    if data.get("force") is not True and not await git.is_ancestor(repository.path, old, sha):
        raise Problem(422, "Update is not a fast forward")
    await _guard_workflows(request, repository, sha)
    try:
        await git.update_ref(repository.path, name, sha, old)
    except git.GitError:
        raise Problem(409, "Reference cannot be updated") from None
    return reply(_view(world, repository, name, sha))


async def delete_ref(request: web.Request) -> web.Response:
    repository, name = await git_repository(request, "write"), f"refs/{request.match_info['ref']}"
    if name not in await git.refs(repository.path, name):
        raise Problem(422, "Reference does not exist")
    if name.removeprefix("refs/heads/") in repository.protected:
        raise Problem(422, "Repository rule violations found\n\nCannot delete this protected ref.")
    await git.delete_ref(repository.path, name)
    return web.Response(status=204)


async def _must_be_commit(repository: Repository, sha: str) -> None:
    if not git.SHA.fullmatch(sha):
        raise Problem(422, "The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
    if await git.kind_of(repository.path, sha) != "commit":
        raise Problem(422, "Object does not exist")


async def _guard_workflows(request: web.Request, repository: Repository, sha: str) -> None:
    """Without the permission for workflows, none of its files may have changed since the default branch."""
    token = auth.token_of(request)
    if auth.permits(token, repository, "workflows:write"):
        return
    base = await git.merge_base(repository.path, f"refs/heads/{repository.default_branch}", sha)
    before, after = [await git.at_path(repository.path, it, WORKFLOWS) for it in (base, sha)]
    if before != after:
        raise Problem(403, f"Resource not accessible by {auth.kind_of(token)}")


ROUTES: Routes = [
    ("GET", "/git/ref/{ref:.+}", get_ref),
    ("GET", "/git/matching-refs/{ref:.+}", matching_refs),
    ("POST", "/git/refs", create_ref),
    ("PATCH", "/git/refs/{ref:.+}", update_ref),
    ("DELETE", "/git/refs/{ref:.+}", delete_ref),
]
