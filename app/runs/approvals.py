"""`/backspace approve <hash>`: which run follows from it. A task's runs are numbered from 1; each word that was taken makes the next."""

from collections.abc import Callable

import sqlalchemy as sa

from app.core.errors import Transient
from app.core.task import AnyRequest, Approval, Control
from app.publish import replies
from app.publish.view import view
from app.runs import asked, log, numbers, tables
from app.runs.engine import Engine, Json
from app.runs.tables import inbox, tasks


class Approvals:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def take(self, control: Control) -> Json:
        """`{"request", "run"}`: the request and the number of the run that lets it in; or `{"refused": a line for people}`.

        The same control again gives the same run. Raises Transient while the task is at work: soon it may ask about other content.
        """
        if not control.said:
            return {"refused": replies.approve_how_text()}
        for request in await self._engine.db(asked.tasks_that_ask(control.said)):
            if request.repository.id == control.repository.id and request.installation is not None:
                seen = view(await log.whole(self._engine, request.key))
                if control.thread in (request.thread, seen.published.number if seen.published else None):
                    break
        else:
            return {"refused": replies.approve_unknown_text()}
        if await asked.is_let_in(self._engine, request.key, control.said):
            return {"refused": replies.approve_again_text()}
        if seen.done and seen.changed and not seen.published:
            return {"refused": replies.approve_alone_text()}
        run = await self._engine.db(_take(request.key, control))
        if run is None:
            raise Transient("The work that this is about is not over yet.")
        return {
            "request": _next(request, control, seen.published.branch if seen.published else "").model_dump(),
            "run": run,
        }


def _next(request: AnyRequest, control: Control, branch: str) -> AnyRequest:
    """What the next run of the task is asked."""
    assert control.comment_id is not None
    approval = Approval(content=control.said, actor=control.actor, comment_id=control.comment_id, branch=branch)
    update = {"approved": approval, "branch": branch or request.branch, "installation": control.installation}
    return request.model_copy(update=update)


def _take(task: str, control: Control) -> Callable[[sa.Connection], int | None]:
    """The number of the run; None while the task is open. It is open again from here on, and what stopped it before is past."""

    def write(connection: sa.Connection) -> int | None:
        key = f"{control.key}/approve"
        known = sa.select(inbox.c.seq).where(inbox.c.key == key)
        if connection.execute(known).first() is None:
            closed = tasks.update().where(tasks.c.key == task, tasks.c.outcome.is_not(None)).values(outcome=None)
            if not connection.execute(closed).rowcount:
                return None
            connection.execute(inbox.delete().where(inbox.c.task == task, inbox.c.word == "stop"))
            tables.say(task, numbers.APPROVE, control.actor.login, key)(connection)
        return numbers.of(connection, task, key)

    return write
