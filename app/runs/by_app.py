"""A repository on GitHub by way of the App: tokens of one repository and one stage, and a status comment where a thread asked."""

from collections.abc import Mapping

from app.core.errors import UserError
from app.core.task import Request, ThreadRequest
from app.github import thread
from app.github.app import App
from app.github.client import GitHub
from app.github.errors import NotFound
from app.github.thread import Thread
from app.github.tokens import CHECK, CLONE, COMMENT, LOOK, PUBLISH
from app.publish import head_branch
from app.publish.commit import Commit, Work, publish_tree
from app.runs.ground import Ground
from app.runs.opening import opened
from app.runs.place import Begun, Offer, Opened
from app.sandbox import cloning
from app.sandbox.base import Sandbox
from app.trigger.policy import may_start

CLONE_SECONDS = 300.0


class ByApp:
    def __init__(self, *, app: App, server_url: str) -> None:
        self._app = app
        self._server_url = server_url

    async def begin(self, run: str, request: Request) -> Begun:
        """Time has passed since the request was taken."""
        await self._allowed(run, request, "no longer has write access here, which Backspace needs to start.")
        facts = await self._github(run, request, CHECK).repository()
        if facts.archived:
            raise UserError("This repository is archived: unarchive it and ask again.")
        if request.thread:
            await self._is_open(run, request, request.thread)
        start, github = facts.default_branch, self._github(run, request, LOOK)
        if request.approved and request.approved.branch:
            start = await head_branch.on_top(request.approved.branch, github)
        elif request.branch:
            start = await head_branch.start(request.branch, start, github, github)
        rules = await head_branch.rules(start, facts.default_branch, github)
        return Begun(branch=facts.default_branch, start=start, rules=rules)

    async def clone(
        self, run: str, request: Request, sandbox: Sandbox, start: str, rules: str = "", sha: str | None = None
    ) -> str:
        """The token is for reading this one repository, in this one command, and is revoked before anything else runs."""
        token = await self._app.tokens.get(run, _installation(request), request.repository.id, CLONE)
        url = f"{self._server_url}/{request.repository.full_name}.git"
        try:
            return await cloning.clone(
                sandbox, url=url, token=token, branch=start, sha=sha, rules=rules, seconds=CLONE_SECONDS
            )
        finally:
            await self._app.tokens.revoke_token(token)

    async def thread(self, ground: Ground) -> Thread:
        run, request = ground.run, ground.request
        if not isinstance(request, ThreadRequest):
            return Thread()
        comments = self._github(run, request, COMMENT)
        ours = (await self._app.identity(comments)).bot_id
        return await thread.before(request, comments, self._github(run, request, CHECK), ours=ours, may_write=may_start)

    async def commit(self, ground: Ground, work: Work) -> Commit:
        """Permission is asked again, for time has passed."""
        await self._allowed(
            ground.run, ground.request, "lost write access here while this ran, so nothing was published."
        )
        github = self._github(ground.run, ground.request, PUBLISH)
        if ground.request.approved and ground.request.approved.branch:
            await head_branch.on_top(ground.request.approved.branch, github)
        elif ground.request.branch:
            await head_branch.check_wanted(ground.request.branch, github)
        return await publish_tree(github, base_sha=ground.base, work=work, request=ground.request)

    async def pull(self, ground: Ground, head: str, offer: Offer) -> Opened:
        """To the branch that is the default one now, where that of the beginning was renamed or deleted meanwhile."""
        github = self._github(ground.run, ground.request, PUBLISH)
        pull = await opened(github, ground, offer, head, server_url=self._server_url)
        if ground.request.approved and pull.number and pull.via == "api":
            # This task's own, which told of what it held before.
            await github.edit_pull(pull.number, offer.body)
        if pull.url or await github.branch(ground.branch):
            return pull
        now = (await self._github(ground.run, ground.request, CHECK).repository()).default_branch
        if now == ground.branch:
            return pull
        return await opened(github, ground.model_copy(update={"branch": now}), offer, head, server_url=self._server_url)

    async def discard(self, ground: Ground, head: str, sha: str) -> None:
        await self._github(ground.run, ground.request, PUBLISH).delete_branch(head, sha)

    async def close(self, run: str) -> None:
        await self._app.tokens.revoke(run)

    async def _is_open(self, run: str, request: Request, thread: int) -> None:
        try:
            state = (await self._github(run, request, COMMENT).issue(thread)).state
        except NotFound:
            raise UserError(
                "The issue was deleted or moved to another repository: ask again where it is now."
            ) from None
        if state == "closed":
            raise UserError("The issue was closed in the meantime: open it and ask again.")

    async def _allowed(self, run: str, request: Request, why_not: str) -> None:
        """Whoever asked in a thread, or approved, may still write. A caller's key was looked at when it asked, and is not again."""
        actor = request.approved.actor if request.approved else request.actor
        if actor is None:
            return
        permission = await self._github(run, request, CHECK).permission(actor.login)
        if permission.user_id != actor.id or not may_start(permission.level):
            raise UserError(f"@{actor.login} {why_not}")

    def _github(self, run: str, request: Request, permissions: Mapping[str, str]) -> GitHub:
        return self._app.repository(run, _installation(request), request.repository, permissions)


def _installation(request: Request) -> int:
    assert request.installation is not None
    return request.installation
