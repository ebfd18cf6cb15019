"""What the control plane knows: the sandboxes with their lives, the plan's limits, and the templates."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.e2b_cloud import machine
from tests.e2b_cloud.machine import Machine
from tests.e2b_cloud.policy import Policy, reaches_this_machine, refusal
from tests.e2b_cloud.problems import Problem, no_sandbox
from tests.e2b_cloud.processes import Processes
from tests.e2b_cloud.templates import Templates

DEFAULT_TIMEOUT = 300


@dataclass
class Plan:
    hours: float = 24
    """The longest a sandbox runs without a pause."""
    concurrent: int = 100
    """Sandboxes that run at a time."""
    home_mb: int | None = None
    """MiB of room in the home of those that are made from now on; all of this machine's without it."""


@dataclass(eq=False)
class Sandbox:
    id: str
    template: str
    disk: Path
    machine: Machine
    processes: Processes
    metadata: Mapping[str, str]
    envs: Mapping[str, str]
    network: Policy
    on_timeout: Literal["kill", "pause"]
    auto_resume: bool
    token: str
    started_at: float
    end_at: float = 0
    state: Literal["running", "paused"] = "running"
    connections: set[asyncio.Transport] = field(default_factory=set)
    """Of the requests to envd that are being answered."""
    timer: asyncio.TimerHandle | None = None

    @property
    def on_the_network(self) -> bool:
        return reaches_this_machine(self.network)

    def drop_connections(self) -> int:
        for transport in (dropped := list(self.connections)):
            transport.abort()
        return len(dropped)


class Cloud:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan = Plan()
        self.templates = Templates(folder / "templates")
        self.sandboxes: dict[str, Sandbox] = {}
        self.starting = 0
        self.changing = asyncio.Lock()
        """One change of a sandbox's state at a time."""

    def sandbox(self, sandbox_id: str) -> Sandbox:
        if (found := self.sandboxes.get(sandbox_id)) is None:
            raise no_sandbox(sandbox_id)
        return found

    def running(self, sandbox_id: str) -> Sandbox:
        if (found := self.sandbox(sandbox_id)).state != "running":
            raise no_sandbox(sandbox_id)
        return found

    async def create(self, asked: Mapping[str, Any]) -> Sandbox:
        seconds = self.allowed(asked.get("timeout"))
        network = _policy(asked.get("network"), asked.get("allow_internet_access"))
        auto_resume = bool((asked.get("autoResume") or {}).get("enabled"))
        template = self.templates.find(str(asked["templateID"]))
        self._room_for_one()
        self.starting += 1
        try:
            sandbox_id = f"i{secrets.token_hex(10)[:19]}"
            disk = self.folder / "sandboxes" / sandbox_id
            if template.disk:
                disk.parent.mkdir(parents=True, exist_ok=True)
                await machine.copy(template.disk, disk)
            else:
                machine.furnish(disk)
            booted = await Machine.boot(disk, self.plan.home_mb)
        finally:
            self.starting -= 1
        sandbox = Sandbox(
            sandbox_id, template.id, disk, booted, Processes(booted), asked.get("metadata") or {}, asked.get("envVars") or {}, network,
            "pause" if asked.get("autoPause") else "kill", auto_resume, secrets.token_hex(20), time.time(),
        )  # fmt: skip
        self.sandboxes[sandbox_id] = sandbox
        self.ends_in(sandbox, seconds)
        return sandbox

    def allowed(self, timeout: Any) -> float:
        seconds = DEFAULT_TIMEOUT if timeout is None else float(timeout)
        if seconds > self.plan.hours * 3600:
            raise Problem(400, f"Timeout cannot be greater than {self.plan.hours:g} hours")
        return seconds

    def _room_for_one(self) -> None:
        if self.starting + sum(s.state == "running" for s in self.sandboxes.values()) >= self.plan.concurrent:
            raise Problem(
                429,
                f"you have reached the maximum number of concurrent E2B sandboxes ({self.plan.concurrent}). "
                "If you need more, please visit 'https://e2b.dev/docs/billing'",
            )

    def ends_in(self, sandbox: Sandbox, seconds: float, *, only_later: bool = False) -> None:
        """From now, but never beyond what the plan allows since it was started or resumed."""
        end_at = min(time.time() + seconds, sandbox.started_at + self.plan.hours * 3600)
        if only_later and end_at <= sandbox.end_at:
            return
        sandbox.end_at = end_at
        if sandbox.timer:
            sandbox.timer.cancel()
        loop = asyncio.get_running_loop()
        sandbox.timer = loop.call_later(
            max(0, end_at - time.time()), lambda: asyncio.ensure_future(self.expire(sandbox))
        )

    async def expire(self, sandbox: Sandbox) -> None:
        """Its time is over."""
        with contextlib.suppress(Problem):
            await (self.pause(sandbox.id) if sandbox.on_timeout == "pause" else self.kill(sandbox.id))

    async def pause(self, sandbox_id: str) -> None:
        async with self.changing:
            sandbox = self.sandbox(sandbox_id)
            if sandbox.state == "paused":
                raise Problem(409, f"Error pausing sandbox - sandbox '{sandbox_id}' is already paused")
            sandbox.state = "paused"
            sandbox.end_at = time.time()
            if sandbox.timer:
                sandbox.timer.cancel()
            sandbox.drop_connections()
            await sandbox.machine.freeze()

    async def connect(self, sandbox_id: str, seconds: float) -> bool:
        """True where it was paused and runs again."""
        async with self.changing:
            sandbox = self.sandbox(sandbox_id)
            if sandbox.state == "running":
                self.ends_in(sandbox, seconds, only_later=True)
                return False
            self._room_for_one()
            sandbox.machine.thaw()
            sandbox.state = "running"
            sandbox.started_at = time.time()
            self.ends_in(sandbox, seconds)
            return True

    async def kill(self, sandbox_id: str) -> None:
        async with self.changing:
            sandbox = self.sandbox(sandbox_id)
            del self.sandboxes[sandbox_id]
            if sandbox.timer:
                sandbox.timer.cancel()
            sandbox.drop_connections()
            await sandbox.machine.kill()
            await sandbox.processes.close()
            await machine.remove(sandbox.disk)

    def set_network(self, sandbox_id: str, asked: Mapping[str, Any]) -> None:
        """Replaces the whole policy. It holds for the commands that start from now on."""
        self.running(sandbox_id).network = _policy(asked, asked.get("allow_internet_access"))

    async def snapshot(self, sandbox_id: str, name: str | None) -> str:
        """The id of the template it can be created from; what runs in it goes on, its connections don't."""
        async with self.changing:
            sandbox = self.running(sandbox_id)
            sandbox.drop_connections()
            await sandbox.machine.freeze()
            try:
                return await self.templates.snapshot(sandbox.disk, sandbox_id, name)
            finally:
                sandbox.machine.thaw()

    async def delete_template(self, reference: str) -> None:
        template = self.templates.find(reference).id
        if any(sandbox.template == template and sandbox.state == "paused" for sandbox in self.sandboxes.values()):
            raise Problem(400, f"cannot delete template '{template}' because there are paused sandboxes using it")
        await self.templates.delete(template)

    async def close(self) -> None:
        for sandbox_id in list(self.sandboxes):
            await self.kill(sandbox_id)


def _policy(asked: Mapping[str, Any] | None, internet: bool | None) -> Policy:
    policy = {**(asked or {})} | ({} if internet is None else {"allow_internet_access": internet})
    if said := refusal(policy):
        raise Problem(400, said)
    return policy
