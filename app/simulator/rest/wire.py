"""What every route reads and writes alike: JSON bodies, fields, pages."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from app.simulator.keys import WORLD
from app.simulator.problems import Problem, invalid

Routes = list[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]]

LONGEST_BODY = 65_536
PER_PAGE, MOST_PER_PAGE = 30, 100


def reply(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=json.dumps(data), content_type="application/json", headers=headers)


def nothing() -> web.Response:
    return web.Response(status=204)


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object sent; {} where nothing was. Raises Problem."""
    raw = await request.read()
    try:
        data = json.loads(raw or b"{}")
        json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Problem(400, "Problems parsing JSON") from None
    if not isinstance(data, dict):
        raise Problem(400, "Body should be a JSON object")
    return data


def text(data: dict[str, Any], name: str, *, default: str | None = None) -> str:
    """A string of the body. Raises Problem where it is missing (and has no default) or is something else."""
    value = data.get(name)
    if value is None and default is not None:
        return default
    if value is None:
        raise Problem(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
    if not isinstance(value, str):
        raise Problem(422, f"Invalid request.\n\nFor 'properties/{name}', {json.dumps(value)[:80]} is not a string.")
    return value


def markdown(data: dict[str, Any], resource: str, *, default: str | None = None) -> str:
    """The `body` of an issue, comment or pull request, within GitHub's length."""
    value = text(data, "body", default=default)
    if len(value) > LONGEST_BODY:
        raise invalid(resource, "body", "custom", f"body is too long (maximum is {LONGEST_BODY} characters)")
    return value


def number(request: web.Request, name: str) -> int:
    return int(request.match_info[name])


def paged(request: web.Request, items: Sequence[Any], view: Callable[[Any], Any]) -> web.Response:
    """One page of a list, with the Link header that leads to the others."""
    try:
        per_page = min(MOST_PER_PAGE, max(1, int(request.query.get("per_page", PER_PAGE))))
        page = max(1, int(request.query.get("page", 1)))
    except ValueError:
        per_page, page = PER_PAGE, 1
    last = max(1, -(-len(items) // per_page))
    around = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    wanted = {rel: n for rel, n in around.items() if 1 <= n <= last and n != page}
    base = request.app[WORLD].url
    links = [f'<{base}{request.rel_url.update_query(page=n)}>; rel="{rel}"' for rel, n in wanted.items()]
    chosen = [view(item) for item in items[(page - 1) * per_page : page * per_page]]
    return reply(chosen, headers={"Link": ", ".join(links)} if links else None)
