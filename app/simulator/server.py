"""The simulator as one application: GitHub at the root and under `/api/v3`, the model under `/anthropic`, the control API under `/_sim`."""

from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from app.simulator import control, pages, smart_http
from app.simulator.faults import Faults, faulty
from app.simulator.journal import COUNTS, logged
from app.simulator.keys import FAULTS, WEBHOOKS, WORLD
from app.simulator.model import make_model
from app.simulator.rest import routes
from app.simulator.state import World
from app.simulator.webhooks import Webhooks

LARGEST_BODY = 100 << 20
LOCAL = ("127.0.0.1", "localhost")


def make_app(data: Path) -> web.Application:
    """The application, with its bare repositories under `data`. Its `WORLD` wants the `url` before the first request."""
    app = web.Application(middlewares=[local_only, logged, faulty], client_max_size=LARGEST_BODY)
    app[WORLD] = World(data)
    app[FAULTS] = Faults()
    app[COUNTS] = {}
    app.cleanup_ctx.append(_webhooks)
    app.on_shutdown.append(_let_go)
    control.add_routes(app)
    routes.add_routes(app)
    app.add_subapp("/anthropic", make_model())
    smart_http.add_routes(app)
    pages.add_routes(app)
    return app


@web.middleware
async def local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nothing here asks for a password, so no page of another site may reach it through somebody's browser."""
    if request.url.host not in LOCAL or "Origin" in request.headers:
        raise web.HTTPForbidden(text="The simulator answers on this machine only.")
    return await handler(request)


async def _webhooks(app: web.Application) -> AsyncIterator[None]:
    app[WEBHOOKS] = Webhooks(app[WORLD])
    yield
    await app[WEBHOOKS].close()


async def _let_go(app: web.Application) -> None:
    app[FAULTS].release_all()
