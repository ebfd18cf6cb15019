"""Pull requests, from branches of the same repository or of a fork."""

from typing import Any

from aiohttp import web

from app.simulator import auth, git, pulls
from app.simulator.keys import WORLD
from app.simulator.problems import Problem, custom, invalid, not_found
from app.simulator.rest.wire import Routes, body_of, markdown, number, paged, reply, text
from app.simulator.state import Issue, Pull, Repository, World

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
        source = (issue.pull.fork or repository).owner.login
        if colon and (owner.lower() != source.lower() or head != issue.pull.head):
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
    head_repository, head = _head_of(world, repository, head)
    head_sha = await _check_branches(repository, head_repository, head, base)
    now, author = world.now(), auth.token_of(request).author
    n = max(repository.issues, default=0) + 1
    pull = Pull(world.new_id(), head, base, bool(data.get("draft")), head_sha)
    pull.maintainer_can_modify = head_repository is not repository and bool(data.get("maintainer_can_modify"))
    pull.fork = head_repository if head_repository is not repository else None
    issue = repository.issues[n] = Issue(world.new_id(), n, author, title, body, now, now, pull=pull)
    await git.update_ref(repository.path, f"refs/pull/{n}/head", head_sha)
    view = await pulls.view(world, repository, issue)
    return reply(view, status=201, headers={"Location": view["url"]})


def _head_of(world: World, repository: Repository, head: str) -> tuple[Repository, str]:
    """The repository of `owner:branch` in this network, and the branch. Raises Problem."""
    owner, colon, branch = head.partition(":")
    if not colon or owner.lower() == repository.owner.login.lower():
        return repository, branch or head
    found = (
        r for r in world.repositories.values() if r.parent is repository and r.owner.login.lower() == owner.lower()
    )
    if fork := next(found, None):
        return fork, branch
    raise invalid("PullRequest", "head", "invalid")


async def _check_branches(repository: Repository, head_repository: Repository, head: str, base: str) -> str:
    """SHA of the head branch, where a pull request of these can be made; its commits are known here then. Raises Problem."""
    head_sha = await git.resolve(head_repository.path, f"refs/heads/{head}")
    if head_sha is None:
        raise invalid("PullRequest", "head", "invalid")
    if await git.resolve(repository.path, f"refs/heads/{base}") is None:
        raise invalid("PullRequest", "base", "invalid")
    for issue in repository.issues.values():
        taken = issue.pull and (issue.pull.fork or repository, issue.pull.head, issue.pull.base)
        if issue.state == "open" and taken == (head_repository, head, base):
            raise custom("PullRequest", f"A pull request already exists for {head_repository.owner.login}:{head}.")
    await git.take_over(repository.path, head_repository.path, head_sha)
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
