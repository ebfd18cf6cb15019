"""GET /healthz: whether this process takes work."""

from collections.abc import Callable

from aiohttp import web

Ready = Callable[[], bool]
"""False before the start is over, and from the moment the process was told to stop."""


class Health:
    def __init__(self, ready: Ready) -> None:
        self._ready = ready

    async def show(self, request: web.Request) -> web.Response:
        """200 or 503."""
        if self._ready():
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "unavailable"}, status=503)
