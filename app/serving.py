"""The HTTP edge around the work: a server, from its start to SIGTERM."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from app.agent.budget import price_note
from app.core.errors import UserError
from app.runs.access import Accesses
from app.runs.intake import Intake
from app.settings import Settings
from app.web.code import Code
from app.web.health import Health
from app.web.keys import Gate
from app.web.server import Runner, make_app
from app.web.sse import Streams
from app.web.webhook import Webhook
from app.wiring import Work, link_secret, working


def greeting(settings: Settings, url: str) -> str:
    """What an operator is told once the server takes work: what comes in, where commands run, where it is recorded."""
    rows = {
        "takes": _taken(settings),
        "commands": f"run {commands_run(settings)}",
        "database": recorded_in(settings),
        "doctor": "`backspace doctor` tries each address and key",
    }
    if note := price_note(settings.backspace_model):
        rows["price"] = note
    return "\n".join([f"Backspace listens on {url}", *(f"  {name:<9} {what}" for name, what in rows.items())])


def _taken(settings: Settings) -> str:
    comments = f"comments and the label {settings.backspace_label} from GitHub, at /webhook" if settings.has_app else ""
    keys = len(settings.api_keys())
    if keys:
        code = f"POST /code with {'its key' if keys == 1 else f'one of {keys} keys'}"
    else:
        code = "POST /code of programs on this machine" if settings.loopback_only else ""
    return "; ".join(filter(None, [comments, code])) or "nothing: neither an App nor BACKSPACE_API_KEYS is set"


def commands_run(settings: Settings) -> str:
    """Where, in words that follow "commands run"."""
    match settings.sandbox:
        case "unsafe-local":
            return "WITHOUT isolation (BACKSPACE_SANDBOX=unsafe-local), as this user"
        case "local":
            return f"in bubblewrap, {'with the network' if settings.backspace_local_network else 'without a network'}"
        case "e2b":
            reach = {"registries": "registries of packages", "none": "nothing", "all": "the whole network"}
            machines = f"in virtual machines made from {settings.backspace_e2b_template}"
            return f"in E2B, {machines}; they reach {reach[settings.backspace_egress]}"


def recorded_in(settings: Settings) -> str:
    """The database, without its password."""
    url = settings.backspace_database_url
    if url.startswith("sqlite:///"):
        return str(Path(url.removeprefix("sqlite:///")).absolute())
    parts = urlsplit(url)
    return f"{parts.path.removeprefix('/')} of PostgreSQL on {parts.hostname or 'this machine'}"


async def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Run the server until SIGTERM or SIGINT. `say` gets its greeting once it takes work.

    Raises UserError where it can't start.
    """
    async with working(settings) as work:
        ready = asyncio.Event()
        webhook = _webhook_of(settings, work.intake, work.accesses) if work.intake and work.accesses else None
        runner = Runner(make_app(webhook, Health(ready.is_set), _code_of(settings, work)))
        address = await _listen(runner, settings.host, settings.port)
        ready.set()
        say(greeting(settings, address))
        await _until_told_to_end()
        ready.clear()
        await work.engine.drain()
        await runner.cleanup()
    logging.shutdown()
    os._exit(0)


def _code_of(settings: Settings, work: Work) -> Code:
    gate = Gate(
        settings.api_keys(), loopback_only=settings.loopback_only, public_url=settings.backspace_public_url or ""
    )
    return Code(
        work.desk,
        gate,
        Streams(work.desk.read, work.engine.wait),
        server_url=settings.github_server_url,
        link_secret=link_secret(settings),
    )


def _webhook_of(settings: Settings, intake: Intake, accesses: Accesses) -> Webhook:
    return Webhook(settings.webhook_secrets(), settings.backspace_label, intake.record, accesses.changed)


async def _listen(runner: Runner, host: str, port: int) -> str:
    try:
        return f"http://{place(host, await runner.listen(host, port))}"
    except OSError as e:
        raise UserError(
            f"HOST and PORT: {place(host, port)} can't be listened on ({os.strerror(e.errno or 0)})."
        ) from None


def place(host: str, port: int) -> str:
    """As addresses have it: brackets around one of IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _until_told_to_end() -> None:
    """Told a second time, the process ends at once."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: os._exit(1) if told.is_set() else told.set())
    await told.wait()
