"""What the handlers find in the application."""

from typing import TYPE_CHECKING

from aiohttp import web

from app.simulator.state import World

if TYPE_CHECKING:
    from app.simulator.faults import Faults
    from app.simulator.webhooks import Webhooks

WORLD = web.AppKey("world", World)
WEBHOOKS: "web.AppKey[Webhooks]" = web.AppKey("webhooks")
FAULTS: "web.AppKey[Faults]" = web.AppKey("faults")
