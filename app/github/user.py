"""An account on GitHub by its own token (GITHUB_TOKEN): what it may do in each repository is what its owner may."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from app.core.task import Actor, Repository
from app.github.client import GitHub
from app.github.clock import ServerClock
from app.github.errors import NotFound
from app.github.facts import RepositoryFacts
from app.github.pace import Pace
from app.github.rest import Rest
from app.github.tokens import GivenCredentials


class User:
    """One for the process. `token` is for git alone; requests are sent by `repository`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        token: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        servers: Callable[[], int] = lambda: 1,
    ) -> None:
        self.token = token
        lane = Pace(sleep=sleep, servers=servers).lane(0)
        self._rest = Rest(session, api_url, GivenCredentials(token), lane, ServerClock(), sleep)
        self._account: Actor | None = None

    def repository(self, repository: Repository) -> GitHub:
        return GitHub(self._rest, repository)

    async def find(self, full_name: str) -> RepositoryFacts | None:
        """The repository by the name that it has now; None where there is none, or none for this account."""
        try:
            return await self.repository(Repository(id=0, full_name=full_name)).repository()
        except NotFound:
            return None

    async def account(self) -> Actor:
        """Whose token it is, asked once. Raises Unauthorized where GitHub does not know it."""
        if self._account is None:
            reply = await self._rest.get("/user", {})
            self._account = Actor(id=reply["id"], login=reply["login"])
        return self._account

    async def fork_of(self, parent: Repository) -> Repository | None:
        """The account's fork, where it has the name of what it is a fork of."""
        facts = await self.find(f"{(await self.account()).login}/{parent.name}")
        return facts.repository if facts and facts.parent_id == parent.id else None
