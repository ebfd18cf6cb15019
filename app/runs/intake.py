"""A request or a control word, from the disk to its effect: who may, the reaction, the comment; then start, stop or refuse.

Workflows of their own, started at once and never queued, so that the person is answered within a second.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial

from app.core.redact import Redactor
from app.core.task import REQUEST, Control, ThreadRequest
from app.github.app import App
from app.github.client import GitHub, Reaction
from app.github.errors import NotFound, Refused
from app.github.tokens import CHECK, COMMENT
from app.publish import comment, replies
from app.runs import numbers, tables
from app.runs.approvals import Approvals
from app.runs.comments import Comments
from app.runs.engine import Engine, Json, Workflow
from app.runs.line import Line
from app.runs.steps import Failed, attempt, checked
from app.runs.stop import say_in
from app.trigger.policy import may_start

log = logging.getLogger(__name__)


class Intake:
    """The code of the workflows `intake`, `control` and `missed`."""

    def __init__(self, *, engine: Engine, app: App, comments: Comments, redactor: Redactor, label: str) -> None:
        self._redact = redactor
        self._label = label
        self._engine = engine
        self._app = app
        self._comments = comments
        self._line = Line(engine)
        self._approvals = Approvals(engine)

    async def record(self, asked: ThreadRequest | Control) -> None:
        """On disk when this returns, without secrets, and once: the workflow's id is made from what was asked."""
        if not await self._engine.db(tables.is_task(asked.key)):  # whose log may be gone already
            await self._begin(_kind(asked), asked)

    async def knows(self, asked: ThreadRequest | Control) -> bool:
        """Whether this was recorded before."""
        known = await self._engine.db(tables.is_task(asked.key))
        return known or await self._engine.has(f"{asked.key}.{_kind(asked)}")

    async def ask_again(self, asked: ThreadRequest | Control) -> None:
        """What was missed, and is not there any more as it was said: one line asks for it again."""
        await self._begin("missed", asked)

    async def _begin(self, kind: str, asked: ThreadRequest | Control) -> None:
        spec = await asyncio.to_thread(self._redact.value, asked.model_dump())
        await self._engine.begin(kind, f"{asked.key}.{kind}", spec)

    async def request(self, workflow: Workflow, spec: Json) -> Json:
        request = ThreadRequest.model_validate(spec)
        try:
            allowed = await workflow.step("check", partial(attempt, self._check, request))
            if why := allowed.get("failed"):
                checked(await workflow.step("explain", partial(attempt, self._explain, request, why)))
                return {}
            if not allowed["allowed"]:
                checked(await workflow.step("refuse", partial(attempt, self._refuse, request, allowed["level"])))
                return {}
            taken = checked(await workflow.step("take", partial(attempt, self._line.take, request)))
            if why := taken.get("full"):
                checked(await workflow.step("turn_away", partial(attempt, self._turn_away, request, why)))
                return {}
            if taken.get("held"):
                answered = await workflow.step("acknowledge", partial(attempt, self._acknowledge, request))
                turn = await workflow.step("line", partial(attempt, self._line.wait, request))
                if turn.get("stopped"):  # there is no work to do, so it takes nobody's slot
                    await self._engine.begin_unqueued("run", numbers.run_id(request.key, 1), spec)
                else:  # it runs, also where the wait went wrong
                    await self._enqueue(request, spec)
            else:
                await self._enqueue(request, spec)
                answered = await workflow.step("acknowledge", partial(attempt, self._acknowledge, request))
            checked(answered)
        except Failed as e:  # where it is in line already, the run itself tells the person how it ends
            log.error("a request was not taken, or not answered: %s", e, extra={"task": request.key})
        return {}

    async def _check(self, asked: ThreadRequest | Control) -> Json:
        permission = await self._github(asked, CHECK).permission(asked.actor.login)
        same = permission.user_id == asked.actor.id
        return {"allowed": same and may_start(permission.level), "level": permission.level if same else "none"}

    async def _enqueue(self, request: ThreadRequest, spec: Json) -> None:
        await self._engine.enqueue("run", numbers.run_id(request.key, 1), tables.thread_of(request), spec)

    async def _turn_away(self, request: ThreadRequest, why: Json) -> Json:
        """A line once for each person and each task that was taken since; more than that get a reaction."""
        told = f"full/{why['newest']}/{request.actor.id}"
        if await self._engine.db(tables.say_once(why["newest"], "full", request.key, told)) == request.key:
            await self._say(request, replies.full_text(request.actor.login, why["scope"]))
        await self._react(request, "confused")
        await self._app.tokens.revoke(request.key)
        return {}

    async def _acknowledge(self, request: ThreadRequest) -> Json:
        """The status comment, and the reaction."""
        ahead = [other.key for other, _ in await self._engine.db(tables.open_tasks(tables.thread_of(request)))]
        place = ahead.index(request.key) if request.key in ahead else 0
        comment_id = await self._comments.post(request, place)
        await self._react(request, "eyes")
        return {"comment": comment_id}

    async def _refuse(self, request: ThreadRequest | Control, level: str) -> Json:
        """Strangers get a reaction and no comment, or anybody could make us talk; who works here gets a line."""
        if level == "triage":
            await self._say(request, replies.refusal(request.actor.login, level))
        else:
            await self._react(request, "confused")
        await self._app.tokens.revoke(request.key)
        return {}

    async def _explain(self, request: ThreadRequest, why: str) -> Json:
        """Who asks may be a stranger, so this is said once in a thread."""
        once = f"unknown-{request.repository.id}-{request.thread}"
        await self._say(request, replies.unknown_text(request.actor.login, why), once)
        await self._app.tokens.revoke(request.key)
        return {}

    async def control(self, workflow: Workflow, spec: Json) -> Json:
        control = Control.model_validate(spec)
        try:
            allowed = checked(await workflow.step("check", partial(attempt, self._check, control)))
            if control.word == "approve":
                await self._approve(workflow, control, allowed)
            elif allowed["allowed"]:
                checked(await workflow.step("obey", partial(attempt, self._obey, control)))
        except Failed as e:
            log.error("a control word was not obeyed: %s", e, extra={"task": control.key})
        return {}

    async def _approve(self, workflow: Workflow, control: Control, allowed: Json) -> None:
        """Workflow code. The task's next run, in the order of its thread."""
        if not allowed["allowed"]:
            checked(await workflow.step("refuse", partial(attempt, self._refuse, control, allowed["level"])))
            return
        taken = checked(await workflow.step("approve", partial(attempt, self._approvals.take, control)))
        if why := taken.get("refused"):
            checked(await workflow.step("answer", partial(attempt, self._tell, control, why)))
            return
        await self._enqueue_next(taken)
        checked(await workflow.step("acknowledge", partial(attempt, self._nod, control)))

    async def _enqueue_next(self, taken: Json) -> None:
        request = REQUEST.validate_python(taken["request"])
        run = numbers.run_id(request.key, taken["run"])
        await self._engine.enqueue("run", run, tables.thread_of(request), taken["request"])

    async def go_on(self, control: Control) -> bool:
        """See that there is the run of an approval whose workflow can't go on; False where none was taken."""
        if control.word != "approve" or not await self._approvals.has_taken(control):
            return False
        await self._enqueue_next(await self._approvals.take(control))
        return True

    async def _tell(self, asked: ThreadRequest | Control, text: str) -> Json:
        await self._say(asked, text)
        await self._app.tokens.revoke(asked.key)
        return {}

    async def _nod(self, control: Control) -> Json:
        await self._react(control, "eyes")
        await self._app.tokens.revoke(control.key)
        return {}

    async def missed(self, workflow: Workflow, spec: Json) -> Json:
        asked = (ThreadRequest if "instruction" in spec else Control).model_validate(spec)
        try:
            allowed = checked(await workflow.step("check", partial(attempt, self._check, asked)))
            if allowed["allowed"]:
                checked(await workflow.step("answer", partial(attempt, self._answer_missed, asked)))
        except Failed as e:
            log.error("a missed command was not answered: %s", e, extra={"task": asked.key})
        return {}

    async def _answer_missed(self, asked: ThreadRequest | Control) -> Json:
        return await self._tell(asked, replies.missed_text(asked.actor.login))

    async def _obey(self, control: Control) -> Json:
        if control.word != "stop" or not await self._stop(control):
            return await self._tell(control, self._answer(control))
        await self._react(control, "+1")
        await self._app.tokens.revoke(control.key)
        return {}

    async def _stop(self, control: Control) -> bool:
        """Whether there was anything to stop, also where an earlier try of the step has stopped it."""
        thread = f"{control.repository.id}#{control.thread}"
        told = await self._engine.db(say_in(thread, f"@{control.actor.login}", control.key))
        for task in told:
            self._engine.stopping(task).set()
            await self._engine.past_queue(task)
        return bool(told)

    def _answer(self, control: Control) -> str:
        match control.word:
            case "stop":
                return replies.nothing_to_stop_text()
            case "help":
                return replies.help_text(self._label)
            case "later":
                return replies.later_text(control.said)
            case "closed":
                return replies.closed_text()
            case "pull_request":
                return replies.pull_request_text()
            case "approve":
                raise AssertionError("an approval is taken, or refused in words of its own")

    async def _say(self, asked: ThreadRequest | Control, text: str, key: str | None = None) -> None:
        """One comment of one line, looked up before it is made."""
        github = self._github(asked, COMMENT)
        mark = comment.marker(key or asked.key)
        author = (await self._app.identity(github)).bot_id
        if await github.find_comment(asked.thread, mark, author) is None:
            await github.create_comment(asked.thread, f"{mark}\n{text}")

    async def _react(self, asked: ThreadRequest | Control, reaction: Reaction) -> None:
        github = self._github(asked, COMMENT)
        try:
            if asked.comment_id is None:
                await github.react_to_issue(asked.thread, reaction)
            else:
                await github.react_to_comment(asked.comment_id, reaction)
        except (NotFound, Refused) as e:
            log.info("no reaction: %s", e, extra={"task": asked.key})

    def _github(self, asked: ThreadRequest | Control, permissions: Mapping[str, str]) -> GitHub:
        return self._app.repository(asked.key, asked.installation, asked.repository, permissions)


def _kind(asked: ThreadRequest | Control) -> str:
    return "intake" if isinstance(asked, ThreadRequest) else "control"
