"""Pages to look at in a browser: repositories, files, issues, pull requests and their diffs."""

from typing import Any

import jinja2
from aiohttp import web

from app.simulator import git, pulls
from app.simulator.keys import WORLD
from app.simulator.markdown import rendered
from app.simulator.problems import not_found
from app.simulator.state import Account, Issue, Reaction, Repository, iso

EMOJI = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "confused": "😕",
    "heart": "❤️",
    "hooray": "🎉",
    "rocket": "🚀",
    "eyes": "👀",
}
TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("app.simulator"), autoescape=True, undefined=jinja2.StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
TEMPLATES.filters["markdown"] = rendered
LONGEST_FILE = 500_000


def _page(name: str, **values: Any) -> web.Response:
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src 'none'"
    html = TEMPLATES.get_template(name).render(**values)
    return web.Response(text=html, content_type="text/html", headers={"Content-Security-Policy": policy})


def _repository(request: web.Request) -> Repository:
    world, name = request.app[WORLD], f"{request.match_info['owner']}/{request.match_info['repo']}"
    repository = world.repository(name) or world.renamed(name)
    if repository is None:
        raise web.HTTPNotFound(text="There is nothing here.")
    return repository


async def front(request: web.Request) -> web.Response:
    return _page("front.html", repositories=list(request.app[WORLD].repositories.values()))


async def files(request: web.Request) -> web.Response:
    """The files of a branch; and its issues and pull requests."""
    repository = _repository(request)
    branch = request.match_info.get("branch", repository.default_branch)
    sha = await git.resolve(repository.path, f"refs/heads/{branch}")
    entries = await git.read_tree(repository.path, sha, recursive=True) if sha else []
    issues = sorted(repository.issues.values(), key=lambda it: -it.number)
    blobs = [entry for entry in entries if entry.kind == "blob"]
    return _page("repository.html", repository=repository, branch=branch, files=blobs, issues=issues)


async def file(request: web.Request) -> web.Response:
    """Where the branch ends and the path begins, only the branches can tell."""
    repository, rest = _repository(request), request.match_info["rest"]
    heads = await git.refs(repository.path, "refs/heads/")
    for branch in (name.removeprefix("refs/heads/") for name in heads):
        path = rest.removeprefix(branch + "/")
        sha = await git.at_path(repository.path, f"refs/heads/{branch}", path) if path != rest else None
        if sha and await git.kind_of(repository.path, sha) == "blob":
            content = (await git.read_blob(repository.path, sha))[:LONGEST_FILE].decode(errors="replace")
            return _page("file.html", repository=repository, branch=branch, path=path, content=content)
    raise web.HTTPNotFound(text="There is nothing here.")


async def thread(request: web.Request) -> web.Response:
    """An issue, or a pull request with its diff."""
    repository = _repository(request)
    issue = repository.issues.get(int(request.match_info["number"]))
    if issue is None:
        raise web.HTTPNotFound(text="There is nothing here.")
    diff = await _diff(repository, issue) if issue.pull else ""
    return _page("thread.html", repository=repository, issue=issue, posts=_posts(issue), diff=diff.splitlines())


async def raw_diff(request: web.Request) -> web.Response:
    repository = _repository(request)
    issue = repository.issues.get(int(request.match_info["number"]))
    if issue is None or issue.pull is None:
        raise not_found()
    return web.Response(text=await _diff(repository, issue))


async def _diff(repository: Repository, issue: Issue) -> str:
    pull = await pulls.refreshed(repository, issue)
    return await git.diff(repository.path, f"refs/heads/{pull.base}", pull.head_sha)


def _posts(issue: Issue) -> list[dict[str, Any]]:
    first = _post("issue", issue.author, issue.created_at, issue.body or "_No description._", issue.reactions, edited=0)
    return [first] + [
        _post(f"issuecomment-{c.id}", c.author, c.created_at, c.body, c.reactions, edited=len(c.bodies) - 1)
        for c in issue.comments
    ]


def _post(
    anchor: str, author: Account, at: float, body: str, reactions: list[Reaction], *, edited: int
) -> dict[str, Any]:
    counts = {EMOJI[r.content]: sum(o.content == r.content for o in reactions) for r in reactions}
    return {"anchor": anchor, "author": author, "at": iso(at), "body": body, "reactions": counts, "edited": edited}


async def compare(request: web.Request) -> web.Response:
    """Where a person would open a pull request by hand."""
    repository = _repository(request)
    base, _, head = request.match_info["range"].partition("...")
    base_sha, head_sha = [await git.resolve(repository.path, f"refs/heads/{name}") for name in (base, head)]
    if base_sha is None or head_sha is None:
        raise web.HTTPNotFound(text="There is nothing here.")
    diff = await git.diff(repository.path, base_sha, head_sha)
    return _page("compare.html", repository=repository, base=base, head=head, diff=diff.splitlines())


def add_routes(app: web.Application) -> None:
    repository = "/{owner}/{repo}"
    app.router.add_get("/", front)
    app.router.add_get(repository, files)
    app.router.add_get(repository + "/tree/{branch:.+}", files)
    app.router.add_get(repository + "/blob/{rest:.+}", file)
    app.router.add_get(repository + r"/{kind:issues|pull}/{number:\d+}", thread)
    app.router.add_get(repository + r"/pull/{number:\d+}.diff", raw_diff)
    app.router.add_get(repository + "/compare/{range:.+}", compare)
