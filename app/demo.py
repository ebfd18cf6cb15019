"""`backspace demo`: a GitHub and a model on this machine, the real server between them, and the whole way from a comment to a pull request.

Simulator and server are processes of their own, and the server has no other settings than an operator's would have.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from rich.console import Console, RenderableType
from rich.text import Text

from app.core.errors import Transient, UserError
from app.core.events import Check, Done, Event
from app.demo_world import Json, World
from app.sandbox.base import Sandboxes
from app.sandbox.e2b import E2BSandboxes
from app.sandbox.local import LocalSandboxes
from app.screen import Screen, addresses
from app.simulator import projects
from app.simulator.projects import Project
from app.simulator.projects.download import prepare

OWNER, ASKER = "pantry", "alice"
START_SECONDS = 60.0
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE")
"""Of our environment, what the two processes get: the settings of a real server nearby must not leak in."""
OF_E2B = ("E2B_API_KEY", "E2B_API_URL", "E2B_SANDBOX_URL", "BACKSPACE_E2B_TEMPLATE")
"""What the server gets besides where its sandboxes are to be in E2B."""


@dataclass(frozen=True)
class Verdict:
    stream: str
    """Address of the events."""
    events: list[Event]
    pulls: list[Json]

    @property
    def good(self) -> bool:
        """The pull request is there, and the server saw its checks pass."""
        done = self.events[-1] if self.events else None
        last = [event for event in self.events if isinstance(event, Check)][-1:]
        return (
            isinstance(done, Done)
            and done.outcome == "ready"
            and len(self.pulls) == 1
            and [c.exit_code for c in last] == [0]
        )


class Demo:
    def __init__(
        self, *, project: str | None, prompt: str | None, sandbox: str | None, keep: bool, work: Path | None
    ) -> None:
        self._sandbox = sandbox or os.environ.get("BACKSPACE_SANDBOX") or "local"
        self._spec = project
        self._prompt = prompt
        self._keep = keep
        self._work = work
        self._console = Console(highlight=False)

    async def run(self) -> int:
        """Exit code: 0 only if the pull request is there and its checks passed. SIGTERM cancels it, and so ends what it started."""
        if task := asyncio.current_task():
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        project = self._project()
        if self._sandbox == "e2b":
            _refuse_far_e2b()
        with tempfile.TemporaryDirectory(prefix="backspace-demo-", ignore_cleanup_errors=True) as temporary:
            work = _folder(self._work or Path(temporary))
            self._console.print(
                "A GitHub and a model are simulated on this machine, so the dollars are too; the rest is real.",
                style="dim",
            )
            self._console.print(f"[bold]{project.name} {project.version}[/] · preparing its files")
            await asyncio.to_thread(prepare, project, wheels=work / "wheels", dest=work / "project")
            arguments = ("-m", "app.simulator", "--data", str(work / "github"))
            async with _process(work, "simulator", {}, *arguments) as first, aiohttp.ClientSession() as session:
                return await self._with_simulator(session, json.loads(first)["url"], project, work)

    def _project(self) -> Project:
        if self._prompt is not None and not os.environ.get("ANTHROPIC_API_KEY"):
            raise UserError("--prompt lets the real model work: set ANTHROPIC_API_KEY.")
        if self._spec and self._prompt:
            return projects.unscripted(self._spec, self._prompt)
        project = projects.find(self._spec) if self._spec else projects.own()
        return project.model_copy(update={"comment": f"/backspace {self._prompt}"}) if self._prompt else project

    async def _with_simulator(
        self, session: aiohttp.ClientSession, simulator: str, project: Project, work: Path
    ) -> int:
        world = World(session, simulator)
        port = _free_port()
        secret = secrets.token_hex(16)
        # The App's id is what tells the sandboxes of this demo from another one's.
        made = await world.post(
            "/_sim/apps",
            webhook_url=f"http://127.0.0.1:{port}/webhook",
            webhook_secret=secret,
            slug="backspace",
            id=10**9 + secrets.randbelow(10**9),
        )
        env = self._settings(simulator, port, secret, made, work)
        async with _ended_at_last(_sandboxes(env)), _process(work, "server", env, "-m", "app", "serve"):
            verdict = await self._ask(world, project, work, made["app_id"], f"http://127.0.0.1:{port}")
            self._console.print(self._where(simulator, project, verdict))
            if self._keep:
                self._console.print("The servers stay up. Ctrl-C ends them.", style="bold")
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
        return 0 if verdict.good else 1

    def _settings(self, simulator: str, port: int, secret: str, made: Json, work: Path) -> dict[str, str]:
        env = {
            "ANTHROPIC_API_KEY": "demo-needs-no-key",
            "ANTHROPIC_BASE_URL": f"{simulator}/anthropic",
            "GITHUB_API_URL": f"{simulator}/api/v3",
            "GITHUB_SERVER_URL": simulator,
            "GITHUB_APP_ID": str(made["app_id"]),
            "GITHUB_PRIVATE_KEY": made["private_key"],
            "GITHUB_WEBHOOK_SECRET": secret,
            "BACKSPACE_DATABASE_URL": f"sqlite:///{work}/backspace.db",
            "BACKSPACE_SANDBOX": self._sandbox,
            "BACKSPACE_DATA": str(work / "sandboxes"),
            "BACKSPACE_WHEELS": str(work / "wheels"),
            "PORT": str(port),
        }
        if self._prompt:
            del env["ANTHROPIC_BASE_URL"]
            env["ANTHROPIC_API_KEY"] = os.environ["ANTHROPIC_API_KEY"]
        passed = ("BACKSPACE_MODEL", *(OF_E2B if self._sandbox == "e2b" else ()))
        return env | {name: os.environ[name] for name in passed if name in os.environ}

    async def _ask(self, world: World, project: Project, work: Path, app_id: int, server: str) -> Verdict:
        """Open the issue, comment, and watch until the end."""
        name = f"{OWNER}/{project.name}"
        repo = f"/_sim/repos/{name}"
        made = await world.post(
            "/_sim/repos", owner=OWNER, name=project.name, archive=str(work / "project"), app_id=app_id
        )
        await world.post("/_sim/users", login=ASKER)
        await world.put(f"{repo}/collaborators/{ASKER}", role="write")
        if not self._prompt:
            await world.post("/anthropic/_scripts", match=name, turns=list(project.turns))
        issue = await world.post(f"{repo}/issues", user=ASKER, title=project.issue_title, body=project.issue_body)
        self._console.print(
            f"@{ASKER} on issue #{issue['number']}, {project.issue_title}:\n  {project.comment}", markup=False
        )
        comment = await world.post(f"{repo}/issues/{issue['number']}/comments", user=ASKER, body=project.comment)
        screen, events = Screen(self._console), list[Event]()
        stream = f"{server}/code/c-{made['id']}-{comment['id']}"
        async for event in world.events(stream):
            events.append(event)
            screen.show(event)
        return Verdict(stream, events, await world.settled(repo, int(issue["number"])))

    def _where(self, simulator: str, project: Project, verdict: Verdict) -> RenderableType:
        if not self._keep:
            return Text(
                "`backspace demo --keep` leaves the pages up, to look at the issue and the pull request.", style="dim"
            )
        base = f"{simulator}/{OWNER}/{project.name}"
        pulls = [("pull request", f"{base}/pull/{pull['number']}") for pull in verdict.pulls]
        return addresses(
            [
                ("issue", f"{base}/issues/1"),
                *pulls,
                ("events", verdict.stream),
                ("docs of /code", verdict.stream.partition("/code/")[0] + "/docs"),
            ]
        )


@contextlib.asynccontextmanager
async def _process(work: Path, name: str, env: dict[str, str], *arguments: str) -> AsyncIterator[str]:
    """A process of this interpreter, its log in `work`; gives the first line that it says when it is ready."""
    passed = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    with (work / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=work, env=passed | env, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        assert process.stdout
        async with asyncio.timeout(START_SECONDS):
            line = (await process.stdout.readline()).decode()
        if not line:
            raise UserError(f"The {name} did not start:\n{(work / f'{name}.log').read_text()[-2000:]}")
        yield line
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def _ended_at_last(sandboxes: Sandboxes) -> AsyncIterator[None]:
    """Commands outlive their server, so that the next one goes on with them. Here none will come."""
    try:
        yield
    finally:
        with contextlib.suppress(Transient):
            for sandbox_id in await sandboxes.runs():
                await sandboxes.end(sandbox_id)


def _sandboxes(env: dict[str, str]) -> Sandboxes:
    """Where the server with these settings has its sandboxes."""
    if env["BACKSPACE_SANDBOX"] != "e2b":
        return LocalSandboxes(Path(env["BACKSPACE_DATA"]))
    return E2BSandboxes(
        env["E2B_API_KEY"],
        git_host="127.0.0.1",
        deployment=env["GITHUB_APP_ID"],
        api_url=env["E2B_API_URL"],
        sandbox_url=env.get("E2B_SANDBOX_URL"),
    )


def _refuse_far_e2b() -> None:
    """Raises UserError where E2B's machines would not reach what the demo starts."""
    if not os.environ.get("E2B_API_KEY"):
        raise UserError("--sandbox e2b: E2B_API_KEY is missing.")
    if urlsplit(os.environ.get("E2B_API_URL", "")).hostname not in ("127.0.0.1", "::1", "localhost"):
        raise UserError(
            "--sandbox e2b: the demo's GitHub is at 127.0.0.1, which E2B's machines do not reach; it works with an E2B on this machine "
            "(E2B_API_URL). Or name --sandbox local."
        )


def _folder(path: Path) -> Path:
    """Raises UserError where it can't be used."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UserError(f"--work: {path} can't be made a folder ({e.strerror}).") from None
    if any(path.iterdir()):
        raise UserError(f"--work: {path} is not empty; name a new folder.")
    return path.resolve()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
