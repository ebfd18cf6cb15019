"""`backspace doctor`: what is missing or wrong in the settings, in plain words, and whether each address and key works."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp

from app.agent.budget import price_note
from app.core.errors import Transient, UserError
from app.core.redact import Redactor
from app.github.errors import NotFound, Unauthorized
from app.runs.database import Database
from app.sandbox import bubblewrap
from app.serving import commands_run, place, recorded_in
from app.settings import Settings, load
from app.wiring import app_of, claude_of, sandboxes_of, user_of

NEEDED = {"metadata": "read", "contents": "write", "issues": "write", "pull_requests": "write"}
EVENTS = ("issue_comment", "issues")
SECONDS = 20.0
"""For each check."""

Finding = tuple[bool, str]


async def findings() -> AsyncIterator[Finding]:
    """Each thing that was looked at: whether it is well, and a sentence."""
    try:
        settings = load()
    except UserError as e:
        for line in str(e).splitlines():
            yield False, line
        return
    yield True, "The settings are complete."
    token = (_token,) if settings.github_token else ()
    traces = (_traces,) if settings.trace_endpoint() else ()
    for check in (_database, _sandbox, _github, *token, _model, _port, *traces):
        yield await _tried(check, settings)


async def _tried(check: Callable[[Settings], Awaitable[str]], settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(SECONDS):
            return True, await check(settings)
    except (UserError, Transient) as e:  # which may be in the words of whoever answered
        return False, Redactor(settings.secrets()).text(str(e))
    except TimeoutError:
        return False, f"No answer within {SECONDS:g} s ({(check.__name__).strip('_')})."


async def _database(settings: Settings) -> str:
    database = Database(settings.backspace_database_url)
    if database.shared:
        await asyncio.to_thread(database.reach)
    else:
        await asyncio.to_thread(_writable, recorded_in(settings))
    return f"The database is {recorded_in(settings)}."


def _writable(file: str) -> None:
    path = Path(file)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UserError(f"BACKSPACE_DATABASE_URL: {path} can't be written by this user.")


async def _sandbox(settings: Settings) -> str:
    remark = await sandboxes_of(settings).check()
    said = f"Commands run {commands_run(settings)}."
    if settings.sandbox != "local":
        return said
    weaker = f"It shares this machine's kernel: weaker than a virtual machine. Not limited: {bubblewrap.not_limited()}."
    return f"{said} {weaker} {remark}".rstrip()


async def _github(settings: Settings) -> str:
    async with aiohttp.ClientSession() as session:
        app = app_of(settings, session)
        if app is None:
            return "No App is set: POST /code works under GITHUB_TOKEN, and no comment is taken."
        try:
            facts = await app.facts()
        except NotFound:
            raise UserError(
                f"GITHUB_APP_ID: {settings.github_api_url} knows no App {settings.github_app_id}; or GITHUB_API_URL is not GitHub's API."
            ) from None
    lacking = [
        f"{name}: {level}"
        for name, level in NEEDED.items()
        if facts.permissions.get(name) not in (level, "write", "admin")
    ]
    if lacking:
        raise UserError(f"The App {facts.slug} lacks permissions: {', '.join(lacking)}. Add them on its settings page.")
    deaf = [event for event in EVENTS if event not in facts.events]
    if deaf:
        raise UserError(
            f"The App {facts.slug} is not subscribed to: {', '.join(deaf)}. Tick them on its settings page."
        )
    return f"GitHub knows the App as {facts.slug}, with the permissions and events it needs."


async def _token(settings: Settings) -> str:
    async with aiohttp.ClientSession() as session:
        user = user_of(settings, session)
        assert user
        try:
            account = await user.account()
        except Unauthorized:
            raise UserError("GITHUB_TOKEN: GitHub does not accept it. Make another, and set it.") from None
    return f"GITHUB_TOKEN is that of {account.login}."


async def _model(settings: Settings) -> str:
    claude = claude_of(settings)
    try:
        await claude.check()
    finally:
        await claude.close()
    said = f"The key is accepted and the model {settings.backspace_model} is there."
    note = price_note(settings.backspace_model)
    return f"{said} {note}" if note else said


async def _port(settings: Settings) -> str:
    """A port that a server of ours has is well: doctor may be asked while it runs."""
    try:
        taken = await asyncio.start_server(lambda *_: None, settings.host, settings.port)
    except OSError as e:
        if await _is_ours(settings):
            return f"A server of Backspace listens on {place(settings.host, settings.port)} already."
        why = os.strerror(e.errno or 0)
        raise UserError(f"HOST and PORT: {place(settings.host, settings.port)} can't be listened on ({why}).") from None
    taken.close()
    return f"{place(settings.host, settings.port)} can be listened on."


async def _is_ours(settings: Settings) -> bool:
    url = f"http://{place(settings.host, settings.port)}/openapi.json"
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as reply:
            return b'"Backspace"' in await reply.content.read(1_000)
    except (aiohttp.ClientError, OSError):
        return False


async def _traces(settings: Settings) -> str:
    """A request without a trace, which is an empty message."""
    url = settings.trace_endpoint()
    assert url
    headers = {**settings.trace_headers(), "content-type": "application/x-protobuf"}
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=b"", headers=headers, allow_redirects=False) as reply,
        ):
            status = reply.status
    except (aiohttp.ClientError, OSError) as e:
        raise UserError(f"OTEL_EXPORTER_OTLP_ENDPOINT: {url} can't be reached ({type(e).__name__}).") from None
    if status in (401, 403):
        raise UserError(f"OTEL_EXPORTER_OTLP_HEADERS: {url} does not accept the key in them ({status}).")
    if status not in (200, 202, 204, 400):  # some take no empty message
        raise UserError(f"OTEL_EXPORTER_OTLP_ENDPOINT: {url} answers {status}: there is no receiver of traces.")
    return f"Traces go to {url}."
