"""Installation tokens: one repository, the permissions of one stage, never longer than the run.

    private key ─▶ App JWT (minutes) ─▶ installation token (an hour, cached) ─▶ requests, or the clone

A token is never logged and never part of an error. Those of a process that was killed can't be revoked by anyone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from weakref import WeakValueDictionary

import aiohttp
import jwt
from cachetools import TLRUCache
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from app.core.errors import Transient
from app.github.clock import ServerClock
from app.github.errors import Conflict, NotFound, Refused, Unauthorized
from app.github.pace import Pace
from app.github.rest import Credentials, Rest

log = logging.getLogger(__name__)

CHECK: Mapping[str, str] = {"metadata": "read"}
"""Who may write, and what the repository is."""
COMMENT: Mapping[str, str] = {"issues": "write"}
"""The issue's state and comments, the reaction, the status comment."""
CLONE: Mapping[str, str] = {"contents": "read"}
"""Handed to `git clone` in the sandbox, so it can do nothing else."""
LOOK: Mapping[str, str] = {"contents": "read", "pull_requests": "read"}
"""Whether there is a commit at all, and whether a head branch can be had."""
PUBLISH: Mapping[str, str] = {"contents": "write", "pull_requests": "write"}
"""Commit, branch and pull request."""

_EARLY = 300.0
"""Seconds before its end from which a token is not handed out any more."""
_JWT_BACK, _JWT_LIFE = 60, 540
"""Seconds: issued in the past for a clock that is ahead; GitHub allows ten minutes in all."""
_NO_INSTALLATION = 0


@dataclass(frozen=True)
class _Key:
    run: str
    installation: int
    repository_id: int | None
    """None: every one of the installation."""
    permissions: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    expires_at: float


class _AppCredentials:
    """The App itself, by a JWT of its private key, made anew for each request by GitHub's clock."""

    def __init__(self, app_id: int, private_key: str, clock: ServerClock) -> None:
        self._app_id = app_id
        # Read once: that takes 50 ms or more, in which nothing else would go on.
        self._private_key = cast(RSAPrivateKey, load_pem_private_key(private_key.encode(), None))
        self._clock = clock

    async def token(self) -> str:
        issued = int(self._clock.now()) - _JWT_BACK
        claims = {"iat": issued, "exp": issued + _JWT_LIFE, "iss": str(self._app_id)}
        return jwt.encode(claims, self._private_key, algorithm="RS256")

    def refused(self, token: str) -> bool:
        """The reply that refused it told us the time."""
        return True


@dataclass(frozen=True)
class GivenCredentials:
    """A token as it stands."""

    value: str = field(repr=False)

    async def token(self) -> str:
        return self.value

    def refused(self, token: str) -> bool:
        return False


class Tokens:
    """Mints, keeps and revokes installation tokens. One for the process."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        app_id: int,
        private_key: str,
        *,
        pace: Pace,
        clock: ServerClock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._api_url = api_url
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self.as_app = self._rest(_AppCredentials(app_id, private_key, clock))
        self._cache: TLRUCache[_Key, _Token] = TLRUCache(
            maxsize=4096, ttu=lambda _key, token, _now: token.expires_at - _EARLY, timer=clock.now
        )
        self._minting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, run: str, installation: int, repository_id: int | None, permissions: Mapping[str, str]) -> str:
        """A token good for five minutes at least. Callers of one run that ask at the same time share one.

        Raises Refused where the installation is gone, suspended, or does not grant this; Transient.
        """
        key = _Key(run, installation, repository_id, frozenset(permissions.items()))
        async with self._lock(run):
            token = self._cache.get(key)
            if token is None:
                token = self._cache[key] = await self._mint(key)
            return token.value

    async def revoke(self, run: str) -> None:
        """End every token of the run. Never raises: what can't be revoked dies within the hour, and is logged."""
        async with self._lock(run):
            for key in [key for key in self._cache if key.run == run]:
                token = self._cache.pop(key, None)
                try:
                    if token:
                        await self.revoke_token(token.value)
                except (Transient, Refused, NotFound, Conflict) as e:
                    log.warning("a token of run %s could not be revoked: %s", run, e)

    def drop(self, run: str) -> None:
        """GitHub has ended every token of the run itself."""
        for key in [key for key in self._cache if key.run == run]:
            self._cache.pop(key, None)

    async def revoke_token(self, token: str) -> None:
        """End this token; one that has ended already is fine. Raises Transient where GitHub can't be asked."""
        try:
            await self._rest(GivenCredentials(token)).send("DELETE", "/installation/token", {}, again=True)
        except Unauthorized:
            log.debug("the token had ended already")
        self.forget(token)

    def forget(self, token: str) -> None:
        """GitHub did not accept it: the next caller gets another."""
        for key in list(self._cache):
            cached = self._cache.get(key)
            if cached and cached.value == token:
                self._cache.pop(key, None)

    def _rest(self, credentials: Credentials) -> Rest:
        lane = self._pace.lane(_NO_INSTALLATION)
        return Rest(self._session, self._api_url, credentials, lane, self._clock, self._sleep, guarded=False)

    def _lock(self, run: str) -> asyncio.Lock:
        return self._minting.setdefault(run, asyncio.Lock())

    async def _mint(self, key: _Key) -> _Token:
        narrowed: dict[str, Any] = {"permissions": dict(key.permissions)}
        if key.repository_id is not None:
            narrowed["repository_ids"] = [key.repository_id]
        path = "/app/installations/{installation}/access_tokens"
        try:
            reply = await self.as_app.send("POST", path, {"installation": key.installation}, narrowed, again=True)
        except NotFound:
            raise Refused("The App is not installed here any more.") from None
        except Conflict as e:
            raise Refused(
                f"GitHub gives the App no token for this repository ({e}): an owner can review the repositories and "
                "permissions of the App in the settings under GitHub Apps."
            ) from None
        return _Token(reply["token"], datetime.fromisoformat(reply["expires_at"]).timestamp())
