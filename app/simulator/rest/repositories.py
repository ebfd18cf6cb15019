"""A repository: its facts, who may do what in it, its installation, its branches."""

from aiohttp import web

from app.simulator import auth, git, views
from app.simulator.commits import commit_view
from app.simulator.keys import WORLD
from app.simulator.problems import Problem, not_found
from app.simulator.rest.wire import Routes, reply
from app.simulator.state import UserToken

LEGACY = {"maintain": "write", "triage": "read"}


async def get_repository(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], auth.allow(request, "metadata:read")
    token, parent = auth.token_of(request), repository.parent
    whole = views.repository(world, repository)
    if isinstance(token, UserToken):
        whole["permissions"] = repository.can(token.author)
    if parent:
        whole |= {"parent": views.repository(world, parent), "source": views.repository(world, parent)}
    return reply(whole)


async def get_installation(request: web.Request) -> web.Response:
    app, world = auth.app_of(request), request.app[WORLD]
    repository = auth.repository_of(request)
    for installation in world.installations_on(repository):
        if installation.app is app:
            return reply(views.installation(world, installation))
    raise not_found()


async def get_permission(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], auth.allow(request, "metadata:read")
    account = world.accounts.get(request.match_info["username"].lower())
    if account is None:
        raise Problem(404, f"{request.match_info['username']} is not a user")
    role = repository.role(account)
    user = {**views.user(world, account), "role_name": role, "permissions": repository.can(account)}
    return reply({"permission": LEGACY.get(role, role), "role_name": role, "user": user})


async def get_branch(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], auth.allow(request, "contents:read")
    name = request.match_info["branch"]
    sha = await git.resolve(repository.path, f"refs/heads/{name}")
    if sha is None:
        raise Problem(404, "Branch not found")
    url = f"{world.api}/repos/{repository.full_name}/branches/{name}"
    return reply(
        {
            "name": name,
            "commit": commit_view(world, repository, await git.read_commit(repository.path, sha)),
            "_links": {"self": url, "html": f"{world.url}/{repository.full_name}/tree/{name}"},
            "protected": name in repository.protected,
            "protection": {"enabled": False},
            "protection_url": f"{url}/protection",
        }
    )


ROUTES: Routes = [
    ("GET", "", get_repository),
    ("GET", "/installation", get_installation),
    ("GET", "/collaborators/{username}/permission", get_permission),
    ("GET", "/branches/{branch:.+}", get_branch),
]
