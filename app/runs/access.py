"""What is done when the App is taken from repositories, suspended, or let in again."""

from app.core.task import Request
from app.github.app import App
from app.runs import numbers, tables
from app.runs.engine import Engine
from app.runs.warm import Warm
from app.trigger.policy import Access

WHO = {
    "removed": "the removal of the App from this repository",
    "suspended": "the suspension of the App",
}
"""Who stopped a run, in words for people."""


class Accesses:
    def __init__(self, *, engine: Engine, app: App, warm: Warm) -> None:
        self._engine = engine
        self._app = app
        self._warm = warm

    async def changed(self, access: Access) -> None:
        """On disk when this returns. What can't be published any more is stopped, and kept as a patch; GitHub is asked nothing.

        Once the App is let in again, the comments of what was stopped meanwhile are brought to their last state.
        """
        if access.how == "restored":
            await self._engine.db(tables.mend_stopped(WHO["suspended"], access.installation))
            return
        await self._warm.outdate(access.repositories)
        tasks = [request for request, _ in await self._engine.db(tables.open_tasks()) if _concerns(access, request)]
        runs = await self._engine.db(numbers.newest_ids([request.key for request in tasks]))
        for request in tasks:
            run = runs[request.key]
            await self._engine.stop_task(request.key, WHO[access.how], f"{run}/{access.how}")
            for holder in (request.key, run):
                self._app.tokens.drop(holder)


def _concerns(access: Access, request: Request) -> bool:
    return request.installation == access.installation and (
        access.whole or request.repository.id in access.repositories
    )
