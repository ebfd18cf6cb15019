"""The HTTP edge: routes, errors as JSON, limits, one log line a request."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

from aiohttp import web, web_response
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http import HttpProcessingError

from app.core.errors import Refusal, Transient, UserError
from app.web import pages
from app.web.code import RETRY_SECONDS, Code
from app.web.connections import Connections
from app.web.health import Health
from app.web.webhook import DELIVERY, TASK, Webhook

log = logging.getLogger(__name__)
access_log = logging.getLogger("app.web.access")

SECONDS_TO_END = 2.0
"""For requests that are under way when the server is told to end. An event stream has no end of its own."""
KEPT = ("Allow", "Location", "Retry-After", "WWW-Authenticate")
"""Headers of an error that go with it."""
SAFE = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

http_log = logging.getLogger("app.web.http")
http_log.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
"""aiohttp tells what is no HTTP as an error, with a stack and the client's words, which may be a key. The access log has it too."""

web_response.SERVER_SOFTWARE = "backspace"  # type: ignore[attr-defined]
"""What is no HTTP is answered by aiohttp, past every hook of ours, and it would name its version and Python's."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(webhook: Webhook | None, health: Health, code: Code | None = None) -> web.Application:
    """The routes. Serve it by `Runner`, which sets the limits that an application cannot."""
    app = web.Application(middlewares=[_errors_as_json])
    if webhook:
        app.router.add_post("/webhook", webhook.receive)
    app.router.add_get("/healthz", health.show)
    app.add_routes(pages.routes())
    if code:
        app.add_routes(code.routes())
    app.on_response_prepare.append(_headers)
    return app


class Runner(web.AppRunner):
    """Serves the routes. It never decompresses, so that a small body cannot become a large one before its signature is checked."""

    def __init__(self, app: web.Application, connections: Connections | None = None) -> None:
        self.connections = connections or Connections()
        app.middlewares.insert(0, self.connections.under_way)
        super().__init__(
            app,
            auto_decompress=False,
            lingering_time=2,
            shutdown_timeout=SECONDS_TO_END,
            access_log_class=AccessLog,
            access_log=access_log,
            logger=http_log,
        )

    async def listen(self, host: str, port: int) -> int:
        """The port; 0 asks for any that is free. Raises OSError."""
        await self.setup()
        await _Site(self, host, port).start()
        return int(self.addresses[0][1])


class _Site(web.BaseSite):
    def __init__(self, runner: Runner, host: str, port: int) -> None:
        super().__init__(runner)
        self._connections = runner.connections
        self._host = host
        self._port = port

    @property
    def name(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        await super().start()
        assert self._runner.server
        make = self._connections.guarded(self._runner.server)
        self._server = await asyncio.get_running_loop().create_server(make, self._host, self._port)


class AccessLog(AbstractAccessLogger):
    """Method, path, status and milliseconds, with the delivery and the task where there are any. No query and no header of the client."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        about = {name: request[key] for name, key in (("delivery", DELIVERY), ("task", TASK)) if key in request}
        words = "".join(f" {name}={value}" for name, value in about.items())
        level = logging.DEBUG if request.path == "/healthz" and response.status == 200 else logging.INFO
        path = request.rel_url.raw_path
        access_log.log(
            level, "%s %s %d %.0f ms%s", request.method, path, response.status, time * 1000, words, extra=about
        )


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as e:
        kept = {name: e.headers[name] for name in KEPT if name in e.headers}
        return web.json_response({"error": e.text}, status=e.status, headers=kept)
    except UserError as e:
        return web.json_response({"error": str(e)}, status=e.status if isinstance(e, Refusal) else 400)
    except Transient as e:
        log.warning("not taken: %s", e)
        wait = str(math.ceil(e.retry_after or RETRY_SECONDS))
        return web.json_response({"error": "not taken; send it again"}, status=503, headers={"Retry-After": wait})
    except Exception:
        log.exception("a bug in a request")
        return web.json_response({"error": "something went wrong; the server's log has the details"}, status=500)


async def _headers(request: web.Request, response: web.StreamResponse) -> None:
    del response.headers["Server"]
    for name, value in SAFE.items():
        response.headers.setdefault(name, value)
