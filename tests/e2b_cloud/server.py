"""The stand-in as an application: one address for the control plane, the sandboxes, and the orders of tests."""

from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from app.simulator.faults import Faults, faulty
from app.simulator.keys import FAULTS
from tests.e2b_cloud import control_plane, envd, orders
from tests.e2b_cloud.cloud import Cloud
from tests.e2b_cloud.journal import JOURNAL, logged
from tests.e2b_cloud.keys import CLOUD
from tests.e2b_cloud.problems import Problem

MAX_BODY = 64 << 20


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """To the sandbox with its header, else to the control plane with the key; every error is JSON, as the SDKs need it."""
    try:
        if request.path.startswith("/_cloud"):
            return await handler(request)
        if "E2b-Sandbox-Id" in request.headers:
            return await envd.proxied(request, handler)
        return await control_plane.keyed(request, handler)
    except Problem as e:
        return e.reply()
    except web.HTTPException as e:
        return Problem(e.status, e.reason).reply()


def make_app(folder: Path) -> web.Application:
    """`folder` holds the disks of sandboxes and templates."""
    app = web.Application(middlewares=[logged, faulty, guarded], client_max_size=MAX_BODY)
    app[CLOUD] = Cloud(folder)
    app[FAULTS] = Faults()
    app[JOURNAL] = []
    app[control_plane.KEYS] = control_plane.Keys()
    for routes in (control_plane.routes, envd.routes, orders.routes):
        app.add_routes(routes)
    app.cleanup_ctx.append(_life)
    return app


async def _life(app: web.Application) -> AsyncIterator[None]:
    yield
    app[FAULTS].release_all()
    await app[CLOUD].close()
