"""The App as this process holds it: made once, gives a client for each repository and stage."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from app.core.task import Repository
from app.github.client import GitHub
from app.github.clock import ServerClock
from app.github.errors import NotFound
from app.github.facts import AppFacts, Identity, Installation, RepositoryFacts
from app.github.pace import Pace
from app.github.rest import Credentials, Rest
from app.github.tokens import CHECK, Tokens


class App:
    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        app_id: int,
        private_key: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        servers: Callable[[], int] = lambda: 1,
    ) -> None:
        self._session = session
        self._api_url = api_url
        self._app_id = app_id
        self._sleep = sleep
        self._clock = ServerClock()
        self._pace = Pace(sleep=sleep, servers=servers)
        self._identity: Identity | None = None
        self.tokens = Tokens(session, api_url, app_id, private_key, pace=self._pace, clock=self._clock, sleep=sleep)

    def repository(self, run: str, installation: int, repository: Repository, permissions: Mapping[str, str]) -> GitHub:
        """The repository, by a token of this run that is minted when it is needed. No request is made here."""
        credentials = _RunCredentials(self.tokens, run, installation, repository.id, permissions)
        return GitHub(self._rest(credentials, installation), repository)

    def _rest(self, credentials: Credentials, installation: int) -> Rest:
        lane = self._pace.lane(installation)
        return Rest(self._session, self._api_url, credentials, lane, self._clock, self._sleep)

    async def find(self, run: str, full_name: str) -> tuple[Installation, RepositoryFacts] | None:
        """The installation on this repository, and the repository by the name it has now; None where the App is not installed there.

        A new name is followed by the repository's id, within the API. Until the id is known, the token is for metadata alone.
        """
        owner, name = full_name.split("/")
        try:
            reply = await self.tokens.as_app.get("/repos/{owner}/{repo}/installation", {"owner": owner, "repo": name})
        except NotFound:
            return None
        found = Installation(id=reply["id"], permissions=reply["permissions"])
        credentials = _RunCredentials(self.tokens, run, found.id, None, CHECK)
        github = GitHub(self._rest(credentials, found.id), Repository(id=0, full_name=full_name))
        return found, await github.repository()

    async def facts(self) -> AppFacts:
        """Raises Unauthorized where GitHub does not know the App by this key."""
        reply = await self.tokens.as_app.get("/app", {})
        return AppFacts(slug=reply["slug"], permissions=reply["permissions"], events=tuple(reply["events"]))

    async def identity(self, github: GitHub) -> Identity:
        """Who we are, asked once. The account is looked up by `github`: the App's own JWT opens no address of users."""
        if self._identity is None:
            slug = (await self.facts()).slug
            self._identity = Identity(app_id=self._app_id, slug=slug, bot_id=await github.user_id(f"{slug}[bot]"))
        return self._identity


class _RunCredentials:
    def __init__(
        self, tokens: Tokens, run: str, installation: int, repository_id: int | None, permissions: Mapping[str, str]
    ) -> None:
        self._tokens = tokens
        self._of = (run, installation, repository_id, permissions)

    async def token(self) -> str:
        return await self._tokens.get(*self._of)

    def refused(self, token: str) -> bool:
        self._tokens.forget(token)
        return True
