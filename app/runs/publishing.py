"""What the last steps of a run do: commit, pull request, end, report. Every effect is looked up before it is made."""

import logging
from typing import Literal

from app.core.errors import UserError
from app.core.events import Check, Done, Error, LeftOut, LeftOutPath, PRCreated, Published, Via
from app.core.redact import Redactor
from app.core.task import Outcome, Request, ThreadRequest
from app.github.errors import Conflict, NotFound, Refused
from app.publish.commit import Work, check_judged, let_in_text
from app.publish.pull_request import NoCommits, title_and_body
from app.runs import asked, numbers, patch
from app.runs.comments import Comments
from app.runs.engine import Engine, Json
from app.runs.ground import Ground
from app.runs.place import Offer, PlaceOf
from app.sandbox import repo
from app.sandbox.base import Sandboxes

log = logging.getLogger(__name__)


class Publishing:
    """`comments`: None without the App."""

    def __init__(
        self, *, engine: Engine, place_of: PlaceOf, sandboxes: Sandboxes, comments: Comments | None, redactor: Redactor
    ) -> None:
        self._engine = engine
        self._comments = comments
        self._place_of = place_of
        self._sandboxes = sandboxes
        self._redact = redactor

    async def commit(self, ground: Ground, gated: Json, summary: str) -> Json:
        """Exactly the tree that was checked, on a branch of its own."""
        sandbox = await self._sandboxes.connect(ground.sandbox)
        passed = set(gated["changes"])
        changes = [c for c in await repo.changes(sandbox, ground.base, "commit/changes") if c.path in passed]
        contents = await repo.contents(sandbox, changes, "commit/contents")
        said = let_in_text(sorted(passed)) if ground.request.approved else self._redact.text(summary)
        work = Work(gated["tree"], changes, contents, said)
        if "content" in gated:  # a step of an earlier release lacks it
            check_judged(work, gated["content"])
        done = await self._place_of(ground.request).commit(ground, work)
        return {"branch": done.branch, "commit": done.sha, "tree": done.tree, "events": []}

    async def pull(self, ground: Ground, commit: Json, gated: Json, told: Json, draft: bool) -> Json:
        approval = ground.request.approved
        if approval:  # not where it is committed, for until that is recorded a new sandbox would need the content again
            await asked.note_let_in(self._engine, ground.request.key, approval.content)
        goes_on = approval is not None and bool(approval.branch)
        title, body = title_and_body(
            ground.request,
            summary=self._redact.text(told["summary"]),
            why_draft=told["why"] if draft and not goes_on else "",
            checks=[Check.model_validate(check) for check in told["checks"]],
            left_out=[LeftOutPath.model_validate(path) for path in gated["left_out"]],
            touches_tests=gated["touches_tests"],
            tree=commit["tree"],
            approvable=LeftOut.model_validate(gated["approvable"]) if gated.get("approvable") else None,
            approved=gated["changes"] if approval else (),
        )
        offer = Offer(title=title, body=body, draft=draft)
        try:
            pull = await self._place_of(ground.request).pull(ground, commit["branch"], offer)
        except NoCommits as e:
            why = Error(message=self._redact.text(str(e)))
            return {"url": None, "via": "", "missing": why.message, "nothing": True, "events": [why.model_dump()]}
        published = Published(
            branch=commit["branch"],
            commit=commit["commit"],
            tree=commit["tree"],
            number=pull.number,
            title=title,
            draft=pull.draft,
            compare_url=pull.compare_url,
        )
        events = [published, *([PRCreated(pr_url=pull.url)] if pull.url else [])]
        return {
            "url": pull.url or None,
            "via": pull.via,
            "missing": pull.missing,
            "events": [event.model_dump() for event in events],
        }

    async def discard(self, ground: Ground, commit: Json) -> Json:
        """Of the branch that was made for this task nothing is left to see. One that somebody asked for by name stays."""
        approval = ground.request.approved
        if not ground.request.branch and not (approval and approval.branch):
            try:
                await self._place_of(ground.request).discard(ground, commit["branch"], commit["commit"])
            except (NotFound, Refused, Conflict) as e:
                log.info("the branch stays: %s", e, extra={"task": ground.run})
        return {"events": []}

    async def end(
        self, run: str, request: Request, outcome: Outcome, why: str, url: str | None, via: Via | Literal[""] = ""
    ) -> Json:
        """The last event, and the end of what must not outlive the run. Goes on where a part of it fails.

        `via`: how the work got to people; where it did not, by the patch, if there is one: each reader says where that is had.
        """
        await self.let_go(run, request)
        if not via and outcome in ("failed", "stopped") and await patch.kept(self._engine, request.key):
            via = "patch"
        done = Done(outcome=outcome, pr_url=url, message=why, via=via)
        return {"events": [self._redacted(done).model_dump()]}

    async def let_go(self, run: str, request: Request) -> None:
        """End its sandbox and its credentials. Never raises."""
        try:
            for sandbox_id, owner in (await self._sandboxes.runs()).items():
                if owner == run:
                    await self._sandboxes.end(sandbox_id)
        except Exception:
            log.exception("the sandbox was not removed", extra={"task": run})
        try:
            await self._place_of(request).close(run)
        except UserError as e:  # the way to the repository is not set any more: no credentials are left
            log.info("no credentials to end: %s", e, extra={"task": run})
        except Exception:
            log.exception("the credentials were not ended", extra={"task": run})

    async def report(self, run: str, request: Request, outcome: Outcome, unrecorded: Done | None = None) -> Json:
        """The comment's last state, where a thread asked, and the task is closed. Where this fails for long, the comments' loop goes on.

        `unrecorded`: how the run ended, where `end` could not say so.
        """
        done = self._redacted(unrecorded) if unrecorded else None
        if not isinstance(request, ThreadRequest):
            await self._tell_approver(request, outcome)
            await self._close(run, request, outcome)
        elif self._comments is None:
            raise UserError("The App's settings are missing now, so the thread can't be told: set them again.")
        else:
            await self._comments.settle(run, request, outcome, done)
        return {"events": [done.model_dump()] if done else []}

    async def close(self, run: str, request: Request, done: Done) -> Json:
        """After a report that has failed: the last event is a Done again, by which the comments' loop closes the task of a thread."""
        if not isinstance(request, ThreadRequest):
            await self._close(run, request, done.outcome)
        return {"events": [self._redacted(done).model_dump()]}

    def _redacted(self, done: Done) -> Done:
        return done.model_copy(update={"message": self._redact.text(done.message)})

    async def _close(self, run: str, request: Request, outcome: Outcome) -> None:
        if await self._engine.db(numbers.close(run, outcome)):
            self._engine.forget(request.key)

    async def _tell_approver(self, request: Request, outcome: Outcome) -> None:
        """A reaction to the comment that approved: there is no status comment."""
        if self._comments is None or request.approved is None:
            return
        try:
            await self._comments.react(request, outcome)
        except (NotFound, Refused, Conflict) as e:
            log.info("no reaction: %s", e, extra={"task": request.key})
