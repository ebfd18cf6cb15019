"""The App itself: installations, tokens, deliveries, accounts."""

from typing import Any

from aiohttp import web

from app.simulator import auth, views
from app.simulator.keys import WEBHOOKS, WORLD
from app.simulator.problems import Problem, invalid, not_found
from app.simulator.rest.wire import Routes, body_of, nothing, number, reply
from app.simulator.state import App, Attempt, Delivery, Installation, Repository, World, iso
from app.simulator.webhooks import headers_of


async def get_app(request: web.Request) -> web.Response:
    return reply(views.app(request.app[WORLD], auth.app_of(request)))


async def create_token(request: web.Request) -> web.Response:
    app, world = auth.app_of(request), request.app[WORLD]
    installation = world.installations.get(number(request, "installation_id"))
    if installation is None or installation.app is not app:
        raise not_found()
    if installation.suspended_at:
        raise Problem(403, "This installation has been suspended")
    data = await body_of(request)
    permissions = _narrowed(app, data.get("permissions"))
    repositories = _chosen(installation, data)
    token = world.mint(installation, repositories, permissions)
    chosen = "repositories" in data or "repository_ids" in data
    return reply(
        {
            "token": token.value,
            "expires_at": iso(token.expires_at),
            "permissions": permissions,
            "repository_selection": "selected",
            **({"repositories": [views.repository(world, r) for r in repositories]} if chosen else {}),
        },
        status=201,
    )


def _narrowed(app: App, wanted: Any) -> dict[str, str]:
    if wanted is None:
        return dict(app.permissions)
    granted = app.permissions
    for name, level in wanted.items():
        if level not in auth.LEVELS or auth.LEVELS[level] > auth.LEVELS.get(granted.get(name, ""), 0):
            raise Problem(422, "The permissions requested are not granted to this installation.")
    return {"metadata": "read", **wanted}


def _chosen(installation: Installation, data: dict[str, Any]) -> list[Repository]:
    ids, names = data.get("repository_ids"), data.get("repositories")
    if ids is None and names is None:
        return list(installation.repositories)
    by_id = {r.id: r for r in installation.repositories}
    by_name = {r.name: r for r in installation.repositories}
    try:
        return [*(by_id[i] for i in ids or ()), *(by_name[n] for n in names or ())]
    except KeyError:
        raise Problem(
            422, "There is at least one repository that does not exist or is not accessible to the parent installation."
        ) from None


async def revoke_token(request: web.Request) -> web.Response:
    auth.installation_token_of(request).revoked = True
    return nothing()


async def get_user(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    if "Authorization" in request.headers:
        auth.token_of(request)
    account = world.accounts.get(request.match_info["username"].lower())
    if account is None:
        raise not_found()
    return reply(views.profile(world, account))


async def get_me(request: web.Request) -> web.Response:
    return reply(views.profile(request.app[WORLD], auth.user_token_of(request).author))


async def list_deliveries(request: web.Request) -> web.Response:
    """The newest first. GitHub pages them by cursor; the link to the next page is all that a client may rely on."""
    app = auth.app_of(request)
    attempts = _attempts(request.app[WORLD], app)
    try:
        per_page, start = int(request.query.get("per_page", 30)), int(request.query.get("cursor", 0))
    except ValueError:
        raise invalid("HookDelivery", "cursor", "invalid") from None
    end = start + max(1, min(100, per_page))
    link = f'<{request.app[WORLD].url}{request.rel_url.update_query(cursor=end)}>; rel="next"'
    found = [_summary(d, a) for d, a in attempts[start:end]]
    return reply(found, headers={"Link": link} if end < len(attempts) else None)


def _attempts(world: World, app: App) -> list[tuple[Delivery, Attempt]]:
    every = [(d, a) for d in world.deliveries.values() if d.app is app for a in d.attempts]
    return sorted(every, key=lambda pair: pair[1].id, reverse=True)


def _summary(delivery: Delivery, attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.id,
        "guid": delivery.guid,
        "delivered_at": iso(attempt.at),
        "redelivery": attempt.redelivery,
        "duration": attempt.ms / 1000,
        "status": "OK" if 200 <= attempt.status < 300 else attempt.error or f"Invalid HTTP Response: {attempt.status}",
        "status_code": attempt.status,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation_id,
        "repository_id": delivery.repository_id,
        "throttled_at": None,
    }


async def get_delivery(request: web.Request) -> web.Response:
    delivery, attempt = _find(request)
    sent = {"headers": headers_of(delivery), "payload": delivery.payload_json}
    got = {"headers": attempt.reply_headers, "payload": attempt.reply}
    return reply({**_summary(delivery, attempt), "url": delivery.app.webhook_url, "request": sent, "response": got})


async def redeliver(request: web.Request) -> web.Response:
    delivery, _ = _find(request)
    request.app[WEBHOOKS].deliver(delivery, redelivery=True)
    return reply({}, status=202)


def _find(request: web.Request) -> tuple[Delivery, Attempt]:
    app = auth.app_of(request)
    wanted = number(request, "delivery_id")
    for delivery, attempt in _attempts(request.app[WORLD], app):
        if attempt.id == wanted:
            return delivery, attempt
    raise not_found()


ROUTES: Routes = [
    ("GET", "/app", get_app),
    ("POST", r"/app/installations/{installation_id:\d+}/access_tokens", create_token),
    ("DELETE", "/installation/token", revoke_token),
    ("GET", "/users/{username}", get_user),
    ("GET", "/user", get_me),
    ("GET", "/app/hook/deliveries", list_deliveries),
    ("GET", r"/app/hook/deliveries/{delivery_id:\d+}", get_delivery),
    ("POST", r"/app/hook/deliveries/{delivery_id:\d+}/attempts", redeliver),
]
