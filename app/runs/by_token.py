"""A repository on GitHub by way of a person's token: in the repository itself where that person may push, else by a fork of theirs.

The token stays here: the server fetches, and the sandbox gets the bytes.
"""

from app.core.errors import Refusal, Transient, UserError
from app.core.task import Repository, Request
from app.github.errors import Empty, NotFound
from app.github.facts import RepositoryFacts
from app.github.thread import Thread
from app.github.user import User
from app.publish import head_branch
from app.publish.commit import Commit, Work, publish_tree
from app.runs.fetched import fetched
from app.runs.ground import Ground
from app.runs.opening import opened
from app.runs.place import Begun, Offer, Opened
from app.sandbox import bundle
from app.sandbox.base import Sandbox

FORK_SECONDS = 5.0
"""Between two looks whether a fork is there; GitHub says that it may take minutes."""


class ByToken:
    def __init__(self, *, user: User, server_url: str) -> None:
        self._user = user
        self._server_url = server_url

    async def begin(self, run: str, request: Request) -> Begun:
        facts = await self._facts(request)
        start = await starting(self._user, facts, request.branch)
        rules = await head_branch.rules(start, facts.default_branch, self._user.repository(facts.repository))
        return Begun(branch=facts.default_branch, start=start, rules=rules)

    async def clone(
        self, run: str, request: Request, sandbox: Sandbox, start: str, rules: str = "", sha: str | None = None
    ) -> str:
        facts = await self._facts(request)
        source = facts.repository
        if start != facts.default_branch and not facts.may_push:
            source = await self._user.fork_of(source) or source
        url = f"{self._server_url}/{source.full_name}.git"
        got = await fetched(url, sha or f"refs/heads/{start}", self._user.token)
        base = await bundle.clone(sandbox, got, branch=start)
        if rules:  # of the repository itself, also where the work goes on in a fork
            url = f"{self._server_url}/{facts.full_name}.git"
            await bundle.lay_beside(sandbox, await fetched(url, rules, self._user.token, depth=1))
        return base

    async def thread(self, ground: Ground) -> Thread:
        return Thread()

    async def commit(self, ground: Ground, work: Work) -> Commit:
        facts = await self._facts(ground.request)
        fork = None if facts.may_push else await self._fork(facts, ground.base)
        github = self._user.repository(fork or facts.repository)
        if ground.request.branch:
            await head_branch.check_wanted(ground.request.branch, self._user.repository(facts.repository), fork)
        return await publish_tree(github, base_sha=ground.base, work=work, request=ground.request)

    async def pull(self, ground: Ground, head: str, offer: Offer) -> Opened:
        facts = await self._facts(ground.request)
        github = self._user.repository(facts.repository)
        fork = None if facts.may_push else await self._fork(facts, ground.base)
        return await opened(github, ground, offer, head, server_url=self._server_url, fork=fork, token=self._user.token)

    async def discard(self, ground: Ground, head: str, sha: str) -> None:
        facts = await self._facts(ground.request)
        fork = None if facts.may_push else await self._fork(facts, ground.base)
        await self._user.repository(fork or facts.repository).delete_branch(head, sha)

    async def close(self, run: str) -> None:
        """The token is the operator's, and outlives every run."""

    async def _facts(self, request: Request) -> RepositoryFacts:
        """By the name that it has now, and only if it is still the one that was asked for."""
        facts = await self._user.find(request.repository.full_name)
        if facts is None or facts.id != request.repository.id:
            raise UserError(f"{request.repository.full_name} is gone, or GITHUB_TOKEN has lost its access to it.")
        check(facts)
        return facts

    async def _fork(self, facts: RepositoryFacts, base: str) -> Repository:
        """The fork, found or made. Objects are shared with what it is a fork of, so the base is there, however old the fork's branches."""
        fork = await self._user.fork_of(facts.repository) or await self._user.repository(facts.repository).fork()
        try:
            await self._user.repository(fork).commit(base)
        except (Empty, NotFound):
            raise Transient(f"GitHub has not yet made the fork {fork.full_name}.", FORK_SECONDS) from None
        return fork


def check(facts: RepositoryFacts) -> None:
    """Raises Refusal where nothing can be written on this person's behalf, not even to a fork."""
    if facts.archived:
        raise Refusal(f"{facts.full_name} is archived: unarchive it first.", 409)
    if not (facts.may_push or facts.may_fork):
        raise Refusal(f"GITHUB_TOKEN may neither push to {facts.full_name} nor fork it.", 403)


async def starting(user: User, facts: RepositoryFacts, branch: str) -> str:
    """The branch that work starts from; see `head_branch.start`. Without the right to push, `branch` is one of the fork."""
    source = user.repository(facts.repository)
    if facts.may_push:
        return await head_branch.start(branch, facts.default_branch, source, source)
    fork = await user.fork_of(facts.repository) if branch else None
    if fork is None and branch != facts.default_branch:
        return facts.default_branch
    heads = user.repository(fork) if fork else source
    return await head_branch.start(branch, facts.default_branch, heads, source, fork)
