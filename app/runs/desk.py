"""Where work is asked for directly: looked at before it costs anything, recorded before it is answered, and found again by its key.

The record is a workflow of its own, which puts the run in line; so a crash between the two loses nothing, and the same key starts
nothing twice.
"""

import asyncio
import hashlib
import secrets
import time
from datetime import UTC, datetime
from functools import partial

from app.core.api_keys import NOBODY
from app.core.errors import Refusal
from app.core.events import Entry
from app.core.redact import Redactor
from app.core.task import Asked, CodeRequest, Repository
from app.github.app import App
from app.github.client import GitHub
from app.github.errors import Conflict, Empty, NotFound, Refused
from app.github.facts import Installation, RepositoryFacts
from app.github.tokens import LOOK
from app.github.user import User
from app.publish import head_branch
from app.runs import by_token, log, numbers, patch, tables
from app.runs.engine import Engine, Json, Workflow
from app.runs.room import Room
from app.runs.steps import attempt, checked
from app.runs.workflow import patiently

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_NEEDED = ("contents", "pull_requests")


class Desk:
    """`app` and `user`: the ways to a repository that there are; where both lead to it, the App's is taken.

    `workflow` is the code of the workflow `ask`.
    """

    def __init__(self, *, engine: Engine, redactor: Redactor, app: App | None, user: User | None) -> None:
        self._engine = engine
        self._redact = redactor
        self._app = app
        self._user = user
        self._room = Room(engine)

    async def ask(self, asked: Asked) -> str:
        """The task's key. On disk when this returns; the same caller and idempotency key give the same task and start nothing.

        Raises Refusal where the repository or the branch can't be worked on, or too much is open; Transient.
        """
        key = task_key(asked)
        if await self._engine.db(tables.is_task(key)):
            return key
        async with self._room.of(asked.caller, key):
            return await self._ask(key, asked)

    async def _ask(self, key: str, asked: Asked) -> str:
        repository, installation = await self._target(key, asked)
        if asked.only and repository.full_name.lower() not in asked.only:
            raise Refusal(f"{asked.repo} has another name now, and this key is not for that.", 403)
        request = CodeRequest(
            key=key,
            repository=repository,
            installation=installation,
            instruction=asked.prompt,
            branch=asked.branch,
            caller=asked.caller,
            asked_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return await self.start(request)

    async def start(self, request: CodeRequest) -> str:
        """Record it, without secrets, and put it in line: its key. However long that takes: whoever asks is never told that nothing
        began of what then runs.
        """
        spec = await asyncio.to_thread(self._redact.value, request.model_dump())
        await self._engine.begin("ask", f"{request.key}.ask", spec, within=None)
        taken = CodeRequest.model_validate(spec)
        await patiently(
            partial(self._engine.db, tables.add_task(taken))
        )  # so that `read` knows it; it runs in any case
        return request.key

    async def workflow(self, workflow: Workflow, spec: Json) -> Json:
        request = CodeRequest.model_validate(spec)
        checked(await workflow.step("take", partial(attempt, self._take, request)))
        await self._engine.enqueue("run", numbers.run_id(request.key, 1), tables.thread_of(request), spec)
        return {}

    async def _take(self, request: CodeRequest) -> Json:
        await self._engine.db(tables.add_task(request))
        return {}

    async def stop(self, task: str, caller: str) -> bool:
        """The work so far is kept. False where there is no such task."""
        if not await self._engine.db(tables.is_task(task)):
            return False
        who = f"the key {caller}" if caller != NOBODY else "whoever asked for it"
        await self._engine.stop_task(task, who, f"{task}/stop")
        await self._engine.past_queue(task)
        return True

    async def read(self, task: str, after: int) -> tuple[list[Entry], int] | None:
        """See `log.read`."""
        return await log.read(self._engine, task, after)

    async def repository_of(self, task: str) -> str | None:
        """`owner/name`; None where there is no such task."""
        request = await self._engine.db(tables.request_of(task))
        return request.repository.full_name if request else None

    async def patch(self, task: str) -> bytes | None:
        """What the task changed; None where there is nothing."""
        return await patch.kept(self._engine, task)

    async def _target(self, key: str, asked: Asked) -> tuple[Repository, int | None]:
        """The repository under the name that it has now, and the App's installation on it. Nothing is written."""
        try:
            if self._app and (found := await self._app.find(key, asked.repo)):
                return await self._by_app(self._app, key, asked.branch, *found)
            if self._user is None:
                raise Refusal(self._no_way(asked.repo), 404)
            return await _by_token(self._user, asked)
        except Empty as e:
            raise Refusal(str(e), 409) from e
        except (Refused, Conflict) as e:
            raise Refusal(str(e), 403) from e
        except NotFound as e:
            raise Refusal(f"GitHub does not show {asked.repo}.", 404) from e
        finally:
            if self._app:
                await self._app.tokens.revoke(key)

    def _no_way(self, repo: str) -> str:
        if self._app is None:
            return f"Nothing leads to {repo}: set GITHUB_TOKEN, or the App's settings."
        return f"The App is not installed on {repo}, or there is no such repository, and no GITHUB_TOKEN is set."

    async def _by_app(
        self, app: App, key: str, branch: str, installation: Installation, facts: RepositoryFacts
    ) -> tuple[Repository, int]:
        lacking = [name for name in _NEEDED if installation.permissions.get(name) != "write"]
        if lacking:
            raise Refusal(
                f"The App may not write {' and '.join(lacking)} in {facts.full_name}: an owner can accept its permissions.",
                403,
            )
        if facts.archived:
            raise Refusal(f"{facts.full_name} is archived: unarchive it first.", 409)
        github = app.repository(key, installation.id, facts.repository, LOOK)
        await _check_not_empty(github, facts)
        await head_branch.start(branch, facts.default_branch, github, github)
        return facts.repository, installation.id


async def _by_token(user: User, asked: Asked) -> tuple[Repository, None]:
    facts = await user.find(asked.repo)
    if facts is None:
        raise Refusal(f"GitHub shows no repository {asked.repo} to the account of GITHUB_TOKEN.", 404)
    by_token.check(facts)
    await _check_not_empty(user.repository(facts.repository), facts)
    await by_token.starting(user, facts, asked.branch)
    return facts.repository, None


async def _check_not_empty(github: GitHub, facts: RepositoryFacts) -> None:
    if await github.branch(facts.default_branch) is None:
        raise Refusal(f"{facts.full_name} has no commit on {facts.default_branch}: make a first one.", 409)


def task_key(asked: Asked) -> str:
    """Of its own for each request; the same for the same caller and idempotency key."""
    if not asked.idempotency_key:
        return f"t-{ulid(time.time(), secrets.randbits(80))}"
    named = f"{asked.caller}\0{asked.idempotency_key}".encode()
    return f"k-{hashlib.sha256(named).hexdigest()[:32]}"


def ulid(at: float, noise: int) -> str:
    """26 letters and digits, in the order of time. `at`: Unix seconds; `noise`: 80 bits."""
    value = int(at * 1000) << 80 | noise
    return "".join(_DIGITS[value >> 5 * place & 31] for place in range(25, -1, -1))
