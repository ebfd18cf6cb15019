"""Pull requests, from branches of the same repository."""

from typing import Any

from aiohttp import web

from app.simulator import auth, git, pulls
from app.simulator.keys import WORLD
from app.simulator.problems import Problem, custom, invalid, not_found
from app.simulator.rest.wire import Routes, body_of, markdown, number, paged, reply, text
from app.simulator.state import Issue, Pull, Repository

READ, WRITE = "pull_requests:read", "pull_requests:write"


def _pull_of(request: web.Request, repository: Repository) -> Issue:
    issue = repository.issues.get(number(request, "pull_number"))
    if issue is None or issue.pull is None:
        raise not_found()
    return issue


async def list_pulls(request: web.Request) -> web.Response:
    """`head` filters only in the form `owner:branch`; anything else is passed over, as on GitHub."""
    world, repository, query = request.app[WORLD], auth.allow(request, READ), request.query
    state, base = query.get("state", "open"), query.get("base")
    owner, colon, head = query.get("head", "").partition(":")
    found = []
    for issue in sorted(repository.issues.values(), key=lambda i: i.number, reverse=True):
        if issue.pull is None or state not in ("all", issue.state) or base not in (None, issue.pull.base):
            continue
        if colon and (owner.lower() != repository.owner.login.lower() or head != issue.pull.head):
            continue
        found.append(await pulls.short_view(world, repository, issue))
    return paged(request, found, lambda view: view)


async def create_pull(request: web.Request) -> web.Response:
    world, repository, data = request.app[WORLD], auth.allow(request, WRITE), await body_of(request)
    title, head, base = text(data, "title"), text(data, "head"), text(data, "base")
    body = markdown(data, "PullRequest", default="")
    if not title.strip():
        raise invalid("PullRequest", "title", "missing_field")
    if len(title) > 256:
        raise invalid("PullRequest", "title", "custom", "title is too long (maximum is 256 characters)")
    head = head.removeprefix(f"{repository.owner.login}:")
    head_sha = await _check_branches(repository, head, base)
    now, bot = world.now(), auth.token_of(request).installation.app.bot
    n = max(repository.issues, default=0) + 1
    pull = Pull(world.new_id(), head, base, bool(data.get("draft")), head_sha)
    issue = repository.issues[n] = Issue(world.new_id(), n, bot, title, body, now, now, pull=pull)
    await git.update_ref(repository.path, f"refs/pull/{n}/head", head_sha)
    view = await pulls.view(world, repository, issue)
    return reply(view, status=201, headers={"Location": view["url"]})


async def _check_branches(repository: Repository, head: str, base: str) -> str:
    """SHA of the head branch, where a pull request of these can be made. Raises Problem."""
    head_sha = await git.resolve(repository.path, f"refs/heads/{head}")
    if head_sha is None:
        raise invalid("PullRequest", "head", "invalid")
    if await git.resolve(repository.path, f"refs/heads/{base}") is None:
        raise invalid("PullRequest", "base", "invalid")
    for issue in repository.issues.values():
        if issue.pull and issue.state == "open" and (issue.pull.head, issue.pull.base) == (head, base):
            raise custom("PullRequest", f"A pull request already exists for {repository.owner.login}:{head}.")
    if await git.count(repository.path, f"refs/heads/{base}", head_sha) == 0:
        raise custom("PullRequest", f"No commits between {base} and {head}")
    return head_sha


async def get_pull(request: web.Request) -> web.Response:
    repository = auth.allow(request, READ)
    return reply(await pulls.view(request.app[WORLD], repository, _pull_of(request, repository)))


async def edit_pull(request: web.Request) -> web.Response:
    world, repository, data = request.app[WORLD], auth.allow(request, WRITE), await body_of(request)
    issue = _pull_of(request, repository)
    issue.title = text(data, "title", default=issue.title)
    issue.body = markdown(data, "PullRequest", default=issue.body)
    _set_state(issue, data, world.now())
    issue.updated_at = world.now()
    return reply(await pulls.view(world, repository, issue))


def _set_state(issue: Issue, data: dict[str, Any], now: float) -> None:
    match data.get("state"):
        case None:
            pass
        case "open":
            issue.state, issue.closed_at = "open", None
        case "closed":
            issue.state, issue.closed_at = "closed", now
        case _:
            raise Problem(422, "Invalid request.\n\nstate is not a member of [open, closed].")


ROUTES: Routes = [
    ("GET", "/pulls", list_pulls),
    ("POST", "/pulls", create_pull),
    ("GET", r"/pulls/{pull_number:\d+}", get_pull),
    ("PATCH", r"/pulls/{pull_number:\d+}", edit_pull),
]
