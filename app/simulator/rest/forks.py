"""Forks. GitHub answers before one is there; whoever asks again gets the one that there is."""

from aiohttp import web

from app.simulator import auth, git, views
from app.simulator.keys import WORLD
from app.simulator.rest.wire import Routes, reply
from app.simulator.state import Account, Repository, World

SECONDS = 0.5
"""Until a fork holds its commits."""


async def create_fork(request: web.Request) -> web.Response:
    world, parent = request.app[WORLD], auth.allow(request, "metadata:read")
    owner = auth.user_token_of(request).author
    found = (it for it in world.repositories.values() if it.parent is parent and it.owner is owner)
    fork = next(found, None) or await _make(world, parent, owner)
    return reply(views.repository(world, fork), status=202)


async def _make(world: World, parent: Repository, owner: Account) -> Repository:
    names = (parent.name, *(f"{parent.name}-{n}" for n in range(1, 100)))
    name = next(name for name in names if world.repository(f"{owner.login}/{name}") is None)
    fork_id, now = world.new_id(), world.now()
    path = world.data / f"{fork_id}.git"
    fork = Repository(fork_id, owner, name, parent.private, path, now, parent.default_branch)
    fork.parent, fork.ready_at = parent, now + SECONDS
    await git.fork(fork.path, parent.path, parent.default_branch)
    world.repositories[fork_id] = fork
    return fork


ROUTES: Routes = [("POST", "/forks", create_fork)]
