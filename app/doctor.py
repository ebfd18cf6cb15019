"""`backspace doctor`: what is missing or wrong in the settings, in plain words, and whether each address and key works."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp

from app.agent.claude import Claude
from app.core.errors import Transient, UserError
from app.github.errors import NotFound, Unauthorized
from app.sandbox import bubblewrap
from app.settings import Settings, load
from app.wiring import app_of, sandboxes_of, user_of

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
    for check in (_database, _sandbox, _github, *token, _model):
        yield await _tried(check, settings)


async def _tried(check: Callable[[Settings], Awaitable[str]], settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(SECONDS):
            return True, await check(settings)
    except (UserError, Transient) as e:
        return False, str(e)
    except TimeoutError:
        return False, f"No answer within {SECONDS:g} s ({(check.__name__).strip('_')})."


async def _database(settings: Settings) -> str:
    return await asyncio.to_thread(_writable, settings.backspace_database_url.removeprefix("sqlite:///"))


def _writable(file: str) -> str:
    path = Path(file).absolute()
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UserError(f"BACKSPACE_DATABASE_URL: {path} can't be written by this user.")
    return f"The database is {path}."


async def _sandbox(settings: Settings) -> str:
    if settings.sandbox == "unsafe-local":
        return "Commands run WITHOUT isolation (BACKSPACE_SANDBOX=unsafe-local), as this user."
    await sandboxes_of(settings).check()
    if settings.sandbox == "e2b":
        reach = {"registries": "registries of packages", "none": "nothing", "all": "the whole network"}
        return (
            f"Commands run in E2B, in virtual machines made from {settings.backspace_e2b_template}; "
            f"they reach {reach[settings.backspace_egress]}."
        )
    network = "with the network" if settings.backspace_local_network else "without a network"
    return (
        f"Commands run in bubblewrap, {network}. It shares this machine's kernel: weaker than a virtual machine. "
        f"Not limited: {bubblewrap.not_limited()}."
    )


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
    claude = Claude(
        settings.anthropic_api_key.get_secret_value(), settings.anthropic_base_url, settings.backspace_model
    )
    try:
        await claude.check()
    finally:
        await claude.close()
    return f"The key is accepted and the model {settings.backspace_model} is there."
