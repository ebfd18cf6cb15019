"""What the last steps of a run do: commit, pull request, end, report. Every effect is looked up before it is made."""

import contextlib
import logging
from typing import Any

from app.core.errors import UserError
from app.core.events import Check, Done, LeftOutPath, PRCreated, Published
from app.core.redact import Redactor
from app.core.task import Outcome, Request
from app.github.app import App
from app.github.client import GitHub
from app.github.tokens import CHECK, PUBLISH
from app.publish.commit import publish_tree
from app.publish.pull_request import open_pull, title_and_body
from app.runs.comments import Comments
from app.runs.ground import Ground
from app.sandbox import repo
from app.sandbox.base import Sandboxes, SandboxGone
from app.trigger.policy import may_start

log = logging.getLogger(__name__)
Json = dict[str, Any]


class Publishing:
    def __init__(self, *, app: App, sandboxes: Sandboxes, comments: Comments, redactor: Redactor) -> None:
        self._app = app
        self._sandboxes = sandboxes
        self._comments = comments
        self._redact = redactor

    async def commit(self, ground: Ground, gated: Json, summary: str) -> Json:
        """Exactly the tree that was checked, on a branch of its own. Permission is asked again, for time has passed."""
        github = self._github(ground)
        await self._still_allowed(ground)
        sandbox = await self._sandboxes.connect(ground.sandbox)
        passed = set(gated["changes"])
        changes = [c for c in await repo.changes(sandbox, ground.base, "commit/changes") if c.path in passed]
        contents = await repo.contents(sandbox, changes, "commit/contents")
        request = ground.request
        done = await publish_tree(
            github,
            base_sha=ground.base,
            expected_tree=gated["tree"],
            changes=changes,
            contents=contents,
            branch_base=f"backspace/{request.thread}-{request.branch_slug}",
            request=request,
            summary=self._redact.text(summary),
        )
        return {"branch": done.branch, "commit": done.sha, "tree": done.tree, "events": []}

    async def _still_allowed(self, ground: Ground) -> None:
        actor = ground.request.actor
        github = self._app.repository(ground.run, ground.request.installation, ground.request.repository, CHECK)
        permission = await github.permission(actor.login)
        if permission.user_id != actor.id or not may_start(permission.level):
            raise UserError(f"@{actor.login} lost write access here while this ran, so nothing was published.")

    async def pull(self, ground: Ground, commit: Json, gated: Json, told: Json, draft: bool) -> Json:
        title, body = title_and_body(
            ground.request,
            summary=self._redact.text(told["summary"]),
            why_draft=told["why"] if draft else "",
            checks=[Check.model_validate(check) for check in told["checks"]],
            left_out=[LeftOutPath.model_validate(path) for path in told["left_out"]],
            touches_tests=gated["touches_tests"],
            tree=commit["tree"],
        )
        pull = await open_pull(
            self._github(ground), title=title, body=body, head=commit["branch"], base=ground.branch, draft=draft
        )
        published = Published(
            branch=commit["branch"],
            commit=commit["commit"],
            tree=commit["tree"],
            number=pull.number,
            title=title,
            draft=pull.draft,
        )
        return {"url": pull.url, "events": [published.model_dump(), PRCreated(pr_url=pull.url).model_dump()]}

    async def end(self, run: str, outcome: Outcome, why: str, url: str | None) -> Json:
        """The last event, and the end of what must not outlive the run. Goes on where a part of it fails."""
        try:
            for sandbox_id, owner in (await self._sandboxes.runs()).items():
                if owner == run:
                    with contextlib.suppress(SandboxGone):
                        await (await self._sandboxes.connect(sandbox_id)).kill()
        except Exception:
            log.exception("the sandbox was not removed", extra={"task": run})
        await self._app.tokens.revoke(run)
        return {"events": [Done(outcome=outcome, pr_url=url, message=self._redact.text(why)).model_dump()]}

    async def report(self, request: Request, outcome: Outcome) -> Json:
        """The comment's last state, and the task is closed. Where this fails for long, the comments' loop goes on trying."""
        await self._comments.settle(request, outcome)
        return {"events": []}

    def _github(self, ground: Ground) -> GitHub:
        return self._app.repository(ground.run, ground.request.installation, ground.request.repository, PUBLISH)
