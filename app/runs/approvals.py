"""`/backspace approve <hash>`: which run follows from it. A task's runs are numbered from 1; each word that was taken makes the next."""

from collections.abc import Callable

import sqlalchemy as sa

from app.core.errors import Transient
from app.core.task import Approval, Control, Request
from app.publish import replies
from app.publish.view import View, view
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
        taken = await self._engine.db(_taken(control))
        found = (taken, await self._seen(taken)) if taken else await self._found(control)
        if isinstance(found, str):
            return {"refused": found}
        request, seen = found
        run = await self._engine.db(_take(request.key, control))
        if run is None:
            raise Transient("The work that this is about is not over yet.")
        return {
            "request": _next(request, control, seen.published.branch if seen.published else "").model_dump(),
            "run": run,
        }

    async def has_taken(self, control: Control) -> bool:
        return await self._engine.db(_taken(control)) is not None

    async def _seen(self, request: Request) -> View:
        return view(await log.whole(self._engine, request.key))

    async def _found(self, control: Control) -> tuple[Request, View] | str:
        """The task that is meant, and its log; or a line for people."""
        here = [
            (request, seen)
            for request in await self._engine.db(asked.tasks_that_ask(control.said))
            if request.repository.id == control.repository.id and request.installation is not None
            for seen in [await self._seen(request)]
            if control.thread in (request.thread, seen.published.number if seen.published else None)
        ]
        if not here:
            return replies.approve_unknown_text()
        asking = [found for found in here if not await asked.is_let_in(self._engine, found[0].key, control.said)]
        if not asking:
            return replies.approve_again_text()
        asking = [(request, seen) for request, seen in asking if seen.published or not (seen.done and seen.changed)]
        if not asking:
            return replies.approve_alone_text()
        pulls = {seen.published.number for _, seen in asking if seen.published and seen.published.number}
        if pulls and len(asking) > 1 and control.thread not in pulls:
            return replies.approve_which_text(sorted(pulls))
        return asking[0]


def _next(request: Request, control: Control, branch: str) -> Request:
    """What the next run of the task is asked."""
    assert control.comment_id is not None
    approval = Approval(content=control.said, actor=control.actor, comment_id=control.comment_id, branch=branch)
    update = {"approved": approval, "branch": branch or request.branch, "installation": control.installation}
    return request.model_copy(update=update)


def _key(control: Control) -> str:
    """Of what this puts into the task's inbox."""
    return f"{control.key}/approve"


def _taken(control: Control) -> Callable[[sa.Connection], Request | None]:
    """What was asked in the task that has taken it, in a step that was not recorded then; None where none has."""
    query = sa.select(inbox.c.task).where(inbox.c.key == _key(control))

    def read(connection: sa.Connection) -> Request | None:
        task = connection.execute(query).scalar_one_or_none()
        return tables.request_of(task)(connection) if task else None

    return read


def _take(task: str, control: Control) -> Callable[[sa.Connection], int | None]:
    """The number of the run; None while the task is open. It is open again from here on, and what stopped it before is past."""

    def write(connection: sa.Connection) -> int | None:
        key = _key(control)
        known = sa.select(inbox.c.seq).where(inbox.c.key == key)
        if connection.execute(known).first() is None:
            closed = tasks.update().where(tasks.c.key == task, tasks.c.outcome.is_not(None)).values(outcome=None)
            if not connection.execute(closed).rowcount:
                return None
            connection.execute(inbox.delete().where(inbox.c.task == task, inbox.c.word == "stop"))
            tables.say(task, numbers.APPROVE, control.actor.login, key)(connection)
        return numbers.of(connection, task, key)

    return write
