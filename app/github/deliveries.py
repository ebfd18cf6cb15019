"""GitHub's log of the App's deliveries: what was sent to the webhook, and how it was answered. It is read, and nothing is redelivered."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.github.app import App


@dataclass(frozen=True)
class Attempt:
    """One POST of a delivery."""

    id: int
    guid: str
    """Of the delivery: the same for each attempt at it."""
    at: float
    """Unix seconds."""
    event: str
    action: str
    succeeded: bool


class Deliveries:
    def __init__(self, app: App) -> None:
        self._rest = app.tokens.as_app

    async def since(self, at: float) -> AsyncIterator[Attempt]:
        """The newest first, from Unix second `at` on. GitHub keeps them for three days."""
        async for reply in self._rest.turned("/app/hook/deliveries{?per_page,cursor}", {}):
            attempt = _attempt(reply)
            if attempt.at < at:
                return
            yield attempt

    async def payload(self, attempt: int) -> dict[str, Any]:
        """What was sent. Raises NotFound."""
        reply = await self._rest.get("/app/hook/deliveries/{id}", {"id": attempt})
        payload = reply["request"]["payload"]
        return payload if isinstance(payload, dict) else {}


def _attempt(reply: dict[str, Any]) -> Attempt:
    return Attempt(
        id=reply["id"],
        guid=reply["guid"],
        at=datetime.fromisoformat(reply["delivered_at"]).timestamp(),
        event=reply["event"],
        action=reply["action"] or "",
        succeeded=200 <= reply["status_code"] < 300,
    )
