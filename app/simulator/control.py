"""The control API under `/_sim`: people's deeds on this GitHub, and what a test wants to know or to break. JSON, no authentication."""

import re
from dataclasses import asdict
from typing import Any

from aiohttp import web

from app.simulator import control_report, control_setup
from app.simulator.control_setup import repository_of
from app.simulator.keys import FAULTS, WEBHOOKS, WORLD
from app.simulator.problems import Problem, not_found
from app.simulator.rest.issues import issue_of
from app.simulator.rest.wire import Routes, body_of, nothing, number, reply, text
from app.simulator.state import Comment, Issue, Label, Repository
from app.simulator.webhooks import Sending


async def outcomes(sendings: list[Sending]) -> dict[str, Any]:
    """What the first App answered, under "delivery"; nothing where no App heard of it."""
    told = [await outcome(sending) for sending in sendings]
    return {"delivery": told[0]} if told else {}


async def outcome(sending: Sending) -> dict[str, Any]:
    delivery, attempt = sending.delivery, await sending.attempt
    return {
        "guid": delivery.guid,
        "event": delivery.event,
        "action": delivery.action,
        "status": attempt.status,
        "ms": attempt.ms,
        "error": attempt.error,
    }


async def open_issue(request: web.Request) -> web.Response:
    world, repository, data = request.app[WORLD], repository_of(request), await body_of(request)
    author, now = world.account(text(data, "user")), world.now()
    n = max(repository.issues, default=0) + 1
    issue = Issue(world.new_id(), n, author, text(data, "title"), text(data, "body", default=""), now, now)
    repository.issues[n] = issue
    sent = request.app[WEBHOOKS].issue("opened", repository, issue, author)
    return reply({"number": n, **await outcomes(sent)}, status=201)


async def edit_issue(request: web.Request) -> web.Response:
    repository, data = repository_of(request), await body_of(request)
    issue = issue_of(request, repository)
    issue.state, issue.locked = data.get("state", issue.state), data.get("locked", issue.locked)
    return nothing()


async def write_comment(request: web.Request) -> web.Response:
    world, repository, data = request.app[WORLD], repository_of(request), await body_of(request)
    issue, author, now = issue_of(request, repository), world.account(text(data, "user")), world.now()
    comment = Comment(world.new_id(), issue.number, author, now, [(now, text(data, "body"))])
    issue.comments.append(comment)
    sent = request.app[WEBHOOKS].comment("created", repository, comment, author)
    return reply({"id": comment.id, **await outcomes(sent)}, status=201)


async def edit_comment(request: web.Request) -> web.Response:
    world, repository, data = request.app[WORLD], repository_of(request), await body_of(request)
    comment, editor = _comment(request, repository), world.account(text(data, "user"))
    before = comment.body
    comment.bodies.append((world.now(), text(data, "body")))
    sent = request.app[WEBHOOKS].comment("edited", repository, comment, editor, before)
    return reply(await outcomes(sent))


async def delete_comment(request: web.Request) -> web.Response:
    world, repository, data = request.app[WORLD], repository_of(request), await body_of(request)
    comment = _comment(request, repository)
    sent = request.app[WEBHOOKS].comment("deleted", repository, comment, world.account(text(data, "user")))
    repository.issues[comment.number].comments.remove(comment)
    return reply(await outcomes(sent))


def _comment(request: web.Request, repository: Repository) -> Comment:
    comment = repository.comment(number(request, "comment_id"))
    if comment is None:
        raise not_found()
    return comment


async def put_label(request: web.Request) -> web.Response:
    world, repository, data = request.app[WORLD], repository_of(request), await body_of(request)
    issue, label = issue_of(request, repository), Label(world.new_id(), text(data, "label"))
    issue.labels = [one for one in issue.labels if one.name != label.name] + [label]
    issue.updated_at = world.now()
    sent = request.app[WEBHOOKS].issue("labeled", repository, issue, world.account(text(data, "user")), label)
    return reply(await outcomes(sent), status=201)


async def redeliver(request: web.Request) -> web.Response:
    """The same delivery again, all at once; with `new_guid` the same payload as a delivery of its own."""
    webhooks, data = request.app[WEBHOOKS], await body_of(request)
    delivery = request.app[WORLD].deliveries.get(request.match_info["guid"])
    if delivery is None:
        raise not_found()
    if data.get("new_guid"):
        delivery = webhooks.copy(delivery)
    sendings = [webhooks.deliver(delivery, redelivery=True) for _ in range(data.get("times", 1))]
    return reply({"guid": delivery.guid, "attempts": [await outcome(sending) for sending in sendings]})


async def get_requests(request: web.Request) -> web.Response:
    """Those after `since` whose path has `match` in it."""
    since, match = int(request.query.get("since", 0)), request.query.get("match", "")
    return reply([asdict(entry) for entry in request.app[WORLD].log[since:] if match in entry.path])


async def get_repository(request: web.Request) -> web.Response:
    return reply(await control_report.repository(request.app[WORLD], repository_of(request)))


async def add_fault(request: web.Request) -> web.Response:
    try:
        return reply({"id": request.app[FAULTS].add(await body_of(request)).id}, status=201)
    except (TypeError, KeyError, re.error) as e:
        raise Problem(422, f"This is no fault: {e}") from None


async def get_fault(request: web.Request) -> web.Response:
    return reply({"hits": request.app[FAULTS].known[number(request, "id")].hits})


async def release_fault(request: web.Request) -> web.Response:
    request.app[FAULTS].known[number(request, "id")].released.set()
    return nothing()


REPOSITORY = "/_sim/repos/{owner}/{repo}"
ISSUE = REPOSITORY + r"/issues/{issue_number:\d+}"
COMMENT = REPOSITORY + r"/issues/comments/{comment_id:\d+}"

ROUTES: Routes = [
    *control_setup.ROUTES,
    ("GET", REPOSITORY, get_repository),
    ("POST", REPOSITORY + "/issues", open_issue),
    ("PATCH", ISSUE, edit_issue),
    ("POST", ISSUE + "/comments", write_comment),
    ("POST", ISSUE + "/labels", put_label),
    ("PATCH", COMMENT, edit_comment),
    ("DELETE", COMMENT, delete_comment),
    ("POST", "/_sim/deliveries/{guid}/redeliver", redeliver),
    ("GET", "/_sim/requests", get_requests),
    ("POST", "/_sim/faults", add_fault),
    ("GET", r"/_sim/faults/{id:\d+}", get_fault),
    ("POST", r"/_sim/faults/{id:\d+}/release", release_fault),
]


def add_routes(app: web.Application) -> None:
    for method, path, handler in ROUTES:
        app.router.add_route(method, path, handler)
