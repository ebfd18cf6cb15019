"""Issues and the reactions to them. A pull request is one too."""

from aiohttp import web

from app.simulator import auth, views
from app.simulator.keys import WORLD
from app.simulator.problems import Problem, invalid, not_found
from app.simulator.rest.wire import Routes, body_of, number, reply, text
from app.simulator.state import Issue, Reaction, Repository

CONTENTS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")
READ = ("issues:read", "pull_requests:read")
WRITE = ("issues:write", "pull_requests:write")


def issue_of(request: web.Request, repository: Repository) -> Issue:
    issue = repository.issues.get(number(request, "issue_number"))
    if issue is None:
        raise not_found()
    return issue


async def get_issue(request: web.Request) -> web.Response:
    repository = auth.allow(request, *READ)
    return reply(views.issue(request.app[WORLD], repository, issue_of(request, repository)))


async def react_to_issue(request: web.Request) -> web.Response:
    repository = auth.allow(request, *WRITE)
    issue = issue_of(request, repository)
    if issue.locked:
        raise Problem(403, "Unable to create reaction because issue is locked.")
    return await add_reaction(request, issue.reactions)


async def add_reaction(request: web.Request, reactions: list[Reaction]) -> web.Response:
    """201 for a new one; 200 with the one that is there already."""
    world, bot = request.app[WORLD], auth.token_of(request).author
    content = text(await body_of(request), "content")
    if content not in CONTENTS:
        raise invalid("Reaction", "content", "invalid")
    for reaction in reactions:
        if reaction.user is bot and reaction.content == content:
            return reply(views.reaction(world, reaction))
    reaction = Reaction(world.new_id(), bot, content, world.now())
    reactions.append(reaction)
    return reply(views.reaction(world, reaction), status=201)


ROUTES: Routes = [
    ("GET", r"/issues/{issue_number:\d+}", get_issue),
    ("POST", r"/issues/{issue_number:\d+}/reactions", react_to_issue),
]
