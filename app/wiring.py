"""The composition root: the only file that knows every part."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from app.agent.budget import Limits
from app.agent.claude import Claude
from app.core import logs
from app.core.errors import UserError
from app.core.redact import Redactor
from app.core.task import CodeRequest, Request
from app.github.app import App
from app.github.user import User
from app.runs.access import Accesses
from app.runs.approving import Approving
from app.runs.broken import Breakage
from app.runs.by_app import ByApp
from app.runs.by_path import ByPath
from app.runs.by_token import ByToken
from app.runs.checking import Checking
from app.runs.checkpoints import Checkpoints
from app.runs.comments import Comments
from app.runs.deliveries import Missed
from app.runs.desk import Desk
from app.runs.engine import Engine
from app.runs.gating import Gating
from app.runs.intake import Intake
from app.runs.pipeline import Pipeline
from app.runs.place import Place, PlaceOf
from app.runs.publishing import Publishing
from app.runs.retention import Retention
from app.runs.salvage import Salvage
from app.runs.stages import Stages
from app.runs.sweeper import Sweeper
from app.runs.warm import Warm
from app.sandbox.base import Sandboxes
from app.sandbox.local import LocalSandboxes
from app.settings import Settings
from app.web.keys import signature

if TYPE_CHECKING:
    from app.runs.traces import Traces
    from app.sandbox.e2b import E2BSandboxes

log = logging.getLogger(__name__)
Endless = Callable[[], Coroutine[None, None, None]]

UNSAFE = (
    "BACKSPACE_SANDBOX=unsafe-local: commands run as this user, with its files, its network and its other processes in reach. "
    "Use it only for repositories and requests that you would run by hand."
)


@dataclass(frozen=True)
class Work:
    """Everything but the HTTP edge, and running."""

    engine: Engine
    redactor: Redactor
    sandboxes: Sandboxes
    intake: Intake | None
    """None without the App: nothing comes from GitHub then."""
    desk: Desk
    accesses: Accesses | None
    """None without the App, too."""
    traces: "Traces | None"
    """None without a receiver."""


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Work]:
    """Take up what is unfinished, and be ready for more. Raises UserError where that can't be.

    The end is that of the process, and a crash on purpose: every step is recorded, so there is nothing to wind up.
    """
    redactor = Redactor(settings.secrets())
    logs.set_up(settings.log_level, redactor)
    if settings.sandbox == "unsafe-local":
        log.warning(UNSAFE)
    sandboxes = sandboxes_of(settings)
    await sandboxes.check()
    engine = Engine(settings.backspace_database_url, redactor, max_runs=settings.backspace_max_runs)
    async with aiohttp.ClientSession() as session:
        work, endless = assembled(settings, engine, sandboxes, redactor, session)
        await engine.start()
        background = [asyncio.create_task(one()) for one in endless]
        yield work
        for task in background:
            task.cancel()


def assembled(
    settings: Settings, engine: Engine, sandboxes: Sandboxes, redactor: Redactor, session: aiohttp.ClientSession
) -> tuple[Work, list[Endless]]:
    """Every kind of workflow has its code in the engine then. And what is to go on beside them once the engine has started."""
    app = app_of(settings, session, lambda: engine.servers)
    comments = _comments_of(settings, engine, app) if app and settings.is_server else None
    user = user_of(settings, session, lambda: engine.servers)
    place_of = _places(settings, app, user)
    desk = Desk(engine=engine, redactor=redactor, app=app, user=user)
    engine.register("ask", desk.workflow)
    checking = Checking(engine=engine, sandboxes=sandboxes, redactor=redactor)
    template = settings.backspace_e2b_template if settings.sandbox == "e2b" and settings.is_server else None
    warm = Warm(engine=engine, sandboxes=sandboxes, checking=checking, template=template)
    pipeline, salvage = _runs(settings, engine, sandboxes, redactor, place_of, comments, checking, warm)
    traces = _traces_of(settings, engine, redactor)
    engine.register("run", traces.of(pipeline) if traces else pipeline)
    engine.register("salvage", salvage)
    endless: list[Endless] = [follower.follow for follower in (comments, traces) if follower]
    intake, accesses, label = None, None, settings.backspace_label
    if app and comments:
        intake = Intake(engine=engine, app=app, comments=comments, redactor=redactor, label=label)
        accesses = Accesses(engine=engine, app=app, warm=warm)
        engine.register("intake", intake.request)
        engine.register("control", intake.control)
        engine.register("missed", intake.missed)
        missed = Missed(transact=engine.db, app=app, intake=intake, label=label)
        endless.append(partial(missed.sweep_for_ever, lambda: engine.is_first))
    endless.append(Breakage(engine=engine, intake=intake, comments=comments).follow)
    endless.append(Sweeper(engine=engine, sandboxes=sandboxes, warm=warm).sweep_for_ever)
    endless.append(Retention(engine=engine, days=settings.backspace_keep_days).clean_for_ever)
    work = Work(
        engine=engine,
        redactor=redactor,
        sandboxes=sandboxes,
        intake=intake,
        desk=desk,
        accesses=accesses,
        traces=traces,
    )
    return work, endless


def link_secret(settings: Settings) -> bytes:
    """Signs links to patches: the same in every process and after every restart, until the key is another."""
    return hashlib.sha256(f"links {settings.anthropic_api_key.get_secret_value()}".encode()).digest()


def _patch_url(settings: Settings, task: str) -> str | None:
    """A link to the patch of a task, for people without a key; None where nobody could follow it."""
    base = settings.backspace_public_url
    return f"{base}/code/{task}/patch?sig={signature(link_secret(settings), task)}" if base else None


def app_of(settings: Settings, session: aiohttp.ClientSession, servers: Callable[[], int] = lambda: 1) -> App | None:
    """`servers`: see `app.github.pace.Pace`."""
    if not settings.has_app:
        return None
    assert settings.github_app_id is not None
    key = settings.private_key()
    return App(session, settings.github_api_url, settings.github_app_id, key, servers=servers)


def user_of(settings: Settings, session: aiohttp.ClientSession, servers: Callable[[], int] = lambda: 1) -> User | None:
    token = settings.github_token
    return User(session, settings.github_api_url, token.get_secret_value(), servers=servers) if token else None


def claude_of(settings: Settings) -> Claude:
    key = settings.anthropic_api_key.get_secret_value()
    return Claude(key, settings.anthropic_base_url, settings.backspace_model)


def _comments_of(settings: Settings, engine: Engine, app: App) -> Comments:
    return Comments(
        engine=engine,
        app=app,
        server_url=settings.github_server_url,
        limit_usd=settings.backspace_task_usd,
        patch_url=partial(_patch_url, settings),
    )


def _places(settings: Settings, app: App | None, user: User | None) -> PlaceOf:
    by_app = ByApp(app=app, server_url=settings.github_server_url) if app else None
    by_token = ByToken(user=user, server_url=settings.github_server_url) if user else None
    by_path = ByPath()

    def place_of(request: Request) -> Place:
        if isinstance(request, CodeRequest) and request.path:
            return by_path
        place = by_token if request.installation is None else by_app
        if place is None:
            missing = "GITHUB_TOKEN, which is" if request.installation is None else "the App, whose settings are"
            raise UserError(f"This task was asked for by way of {missing} missing now: set it again.")
        return place

    return place_of


def _runs(
    settings: Settings,
    engine: Engine,
    sandboxes: Sandboxes,
    redactor: Redactor,
    place_of: PlaceOf,
    comments: Comments | None,
    checking: Checking,
    warm: Warm,
) -> tuple[Pipeline, Salvage]:
    """The code of a task's runs."""
    limits = Limits(
        usd=settings.backspace_task_usd,
        minutes=settings.backspace_task_minutes,
        turns=settings.backspace_task_turns,
        tokens=settings.backspace_task_tokens,
    )
    checkpoints = Checkpoints(engine)
    stages = Stages(
        engine=engine,
        place_of=place_of,
        sandboxes=sandboxes,
        claude=claude_of(settings),
        limits=limits,
        redactor=redactor,
        warm=warm,
        checkpoints=checkpoints,
    )
    publishing = Publishing(engine=engine, place_of=place_of, sandboxes=sandboxes, comments=comments, redactor=redactor)
    gating = Gating(engine=engine, sandboxes=sandboxes, redactor=redactor)
    approving = Approving(engine=engine, sandboxes=sandboxes, redactor=redactor, stages=stages)
    salvage = Salvage(
        engine=engine,
        sandboxes=sandboxes,
        checkpoints=checkpoints,
        stages=stages,
        gating=gating,
        checking=checking,
        publishing=publishing,
    )
    return Pipeline(stages, approving, gating, checking, publishing), salvage


def sandboxes_of(settings: Settings) -> "LocalSandboxes | E2BSandboxes":
    if settings.sandbox == "e2b":
        from app.sandbox.e2b import E2BSandboxes  # like the traces' libraries below

        assert settings.e2b_api_key
        return E2BSandboxes(
            settings.e2b_api_key.get_secret_value(),
            git_host=urlsplit(settings.github_server_url).hostname or "",
            deployment=str(settings.github_app_id or "no-app"),
            egress=settings.backspace_egress,
            template=settings.backspace_e2b_template,
            api_url=settings.e2b_api_url,
            sandbox_url=settings.e2b_sandbox_url,
            wheels=settings.backspace_wheels,
        )
    return LocalSandboxes(
        settings.backspace_data,
        isolation="none" if settings.sandbox == "unsafe-local" else "bubblewrap",
        network=settings.backspace_local_network,
        wheels=settings.backspace_wheels,
    )


def _traces_of(settings: Settings, engine: Engine, redactor: Redactor) -> "Traces | None":
    endpoint = settings.trace_endpoint()
    if endpoint is None:
        return None
    from app.runs.traces import Traces  # its libraries would take a tenth of the time that a start takes

    return Traces(
        engine=engine,
        redactor=redactor,
        endpoint=endpoint,
        headers=settings.trace_headers(),
        content=settings.otel_instrumentation_genai_capture_message_content,
    )
