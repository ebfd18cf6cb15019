"""What the last steps of a run do: commit, pull request, end, report. Every effect is looked up before it is made."""

import contextlib
import logging
from typing import Literal

from app.core.errors import UserError
from app.core.events import Check, Done, LeftOut, LeftOutPath, PRCreated, Published, Via
from app.core.redact import Redactor
from app.core.task import Outcome, Request, ThreadRequest
from app.github.errors import Conflict, NotFound, Refused
from app.publish.commit import Work, check_judged, let_in_text
from app.publish.pull_request import title_and_body
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
        pull = await self._place_of(ground.request).pull(ground, commit["branch"], offer)
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

    async def end(
        self, run: str, request: Request, outcome: Outcome, why: str, url: str | None, via: Via | Literal[""] = ""
    ) -> Json:
        """The last event, and the end of what must not outlive the run. Goes on where a part of it fails.

        `via`: how the work got to people; where it did not, the patch is named, if there is one.
        """
        await self.let_go(run, request)
        if not via and outcome in ("failed", "stopped") and await patch.kept(self._engine, request.key):
            via = "patch"
            why = f"{why} The change is kept as a patch, at /code/{request.key}/patch of the server.".strip()
        return {"events": [Done(outcome=outcome, pr_url=url, message=self._redact.text(why), via=via).model_dump()]}

    async def let_go(self, run: str, request: Request) -> None:
        """End its sandbox and its credentials. Never raises."""
        try:
            for sandbox_id, owner in (await self._sandboxes.runs()).items():
                if owner == run:
                    await self._sandboxes.end(sandbox_id)
        except Exception:
            log.exception("the sandbox was not removed", extra={"task": run})
        with contextlib.suppress(UserError):  # the way to the repository is not set any more: no credentials are left
            await self._place_of(request).close(run)

    async def report(self, run: str, request: Request, outcome: Outcome) -> Json:
        """The comment's last state, where a thread asked, and the task is closed. Where this fails for long, the comments' loop goes on."""
        if not isinstance(request, ThreadRequest):
            await self._tell_approver(request, outcome)
            if await self._engine.db(numbers.close(run, outcome)):
                self._engine.forget(request.key)
        elif self._comments is None:
            raise UserError("The App's settings are missing now, so the thread can't be told: set them again.")
        else:
            await self._comments.settle(run, request, outcome)
        return {"events": []}

    async def _tell_approver(self, request: Request, outcome: Outcome) -> None:
        """A reaction to the comment that approved: there is no status comment."""
        if self._comments is None or request.approved is None:
            return
        try:
            await self._comments.react(request, outcome)
        except (NotFound, Refused, Conflict) as e:
            log.info("no reaction: %s", e, extra={"task": request.key})
