"""Comments on issues and pull requests. What the App writes makes webhooks too, as on GitHub."""

from aiohttp import web

from app.simulator import auth, views
from app.simulator.keys import WEBHOOKS, WORLD
from app.simulator.problems import Problem, invalid, not_found
from app.simulator.rest.issues import READ, WRITE, add_reaction, issue_of
from app.simulator.rest.wire import Routes, body_of, markdown, nothing, number, paged, reply
from app.simulator.state import Comment, Repository, Token

LOCKED = "Unable to create comment because issue is locked."


def comment_of(request: web.Request, repository: Repository) -> Comment:
    comment = repository.comment(number(request, "comment_id"))
    if comment is None:
        raise not_found()
    return comment


async def list_comments(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], auth.allow(request, *READ)
    since = request.query.get("since", "")
    comments = [
        c for c in issue_of(request, repository).comments if views.comment(world, repository, c)["updated_at"] >= since
    ]
    return paged(request, comments, lambda it: views.comment(world, repository, it))


async def create_comment(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], auth.allow(request, *WRITE)
    issue, token = issue_of(request, repository), auth.token_of(request)
    if issue.locked:
        raise Problem(403, LOCKED)
    body = markdown(await body_of(request), "IssueComment")
    if not body.strip():
        raise invalid("IssueComment", "body", "missing_field")
    now = world.now()
    app = token.installation.app if isinstance(token, Token) else None
    comment = Comment(world.new_id(), issue.number, token.author, now, [(now, body)], app)
    issue.comments.append(comment)
    issue.updated_at = now
    request.app[WEBHOOKS].comment("created", repository, comment, token.author)
    view = views.comment(world, repository, comment)
    return reply(view, status=201, headers={"Location": view["url"]})


async def get_comment(request: web.Request) -> web.Response:
    repository = auth.allow(request, *READ)
    return reply(views.comment(request.app[WORLD], repository, comment_of(request, repository)))


async def edit_comment(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], auth.allow(request, *WRITE)
    if "If-Match" in request.headers or "If-None-Match" in request.headers:
        raise Problem(
            400, "Conditional request headers are not allowed in unsafe requests unless supported by the endpoint"
        )
    comment, author = comment_of(request, repository), auth.token_of(request).author
    before, body = comment.body, markdown(await body_of(request), "IssueComment")
    comment.bodies.append((world.now(), body))
    if body != before:
        request.app[WEBHOOKS].comment("edited", repository, comment, author, before)
    return reply(views.comment(world, repository, comment))


async def delete_comment(request: web.Request) -> web.Response:
    repository = auth.allow(request, *WRITE)
    comment, author = comment_of(request, repository), auth.token_of(request).author
    request.app[WEBHOOKS].comment("deleted", repository, comment, author)
    repository.issues[comment.number].comments.remove(comment)
    return nothing()


async def react_to_comment(request: web.Request) -> web.Response:
    repository = auth.allow(request, *WRITE)
    comment = comment_of(request, repository)
    if repository.issues[comment.number].locked:
        raise Problem(403, "Unable to create reaction because issue is locked.")
    return await add_reaction(request, comment.reactions)


ROUTES: Routes = [
    ("GET", r"/issues/{issue_number:\d+}/comments", list_comments),
    ("POST", r"/issues/{issue_number:\d+}/comments", create_comment),
    ("GET", r"/issues/comments/{comment_id:\d+}", get_comment),
    ("PATCH", r"/issues/comments/{comment_id:\d+}", edit_comment),
    ("DELETE", r"/issues/comments/{comment_id:\d+}", delete_comment),
    ("POST", r"/issues/comments/{comment_id:\d+}/reactions", react_to_comment),
]
