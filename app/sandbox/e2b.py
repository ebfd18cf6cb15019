"""Sandboxes in E2B: micro virtual machines that outlive us, found again by the run that they are made for."""

import contextlib
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from e2b import E2B, SandboxException, SandboxQuery
from e2b.sandbox.sandbox_api import SandboxInfo

from app.core.errors import UserError
from app.sandbox.base import SandboxGone, WarmGone
from app.sandbox.e2b_calls import E2BSandbox, Policies
from app.sandbox.e2b_errors import InProgress
from app.sandbox.e2b_network import Egress, afterwards, from_the_start, while_cloning
from app.sandbox.e2b_waits import LIFE, Waits, awake, insist, within

MOST = 10
"""Sandboxes that a run may have, one after the other."""


@dataclass(frozen=True)
class E2BSandboxes:
    """`git_host` is what a sandbox reaches while it clones, `egress` says what it reaches afterwards.

    A sandbox that is not heard of for a quarter of an hour is paused by E2B, not ended; whoever connects to it resumes it.
    `deployment` keeps servers apart that share one team: each sees its own sandboxes only. `wheels` is a folder of packages that `pip` in
    the sandbox installs from, and from nowhere else. `patience`: seconds without an answer from a sandbox after which the connection
    counts as lost; `Waits` says what follows from it for the rest.
    """

    api_key: str
    git_host: str
    deployment: str
    egress: Egress = "registries"
    template: str = "base"
    api_url: str | None = None
    sandbox_url: str | None = None
    wheels: Path | None = None
    patience: float = 20.0

    async def check(self) -> str:
        """Nothing to be said (""). Raises UserError for a key or a template that E2B does not know, Transient where it gives no answer."""
        async with within(2 * self._waits.answer):
            await self._client.AsyncSandbox.list(limit=1).next_items()
            if not await self._client.AsyncTemplate.exists(self.template):
                raise UserError(f"BACKSPACE_E2B_TEMPLATE: E2B has no template {self.template} for this key.")
        return ""

    async def create(self, run_id: str, warm: str | None = None) -> E2BSandbox:
        sandbox = await self._found_or_made(run_id, warm)
        if self.wheels:
            await sandbox.receive(self.wheels)
        return sandbox

    async def _found_or_made(self, run_id: str, warm: str | None) -> E2BSandbox:
        for found in await self._list({"run": run_id}):
            with contextlib.suppress(SandboxGone):
                return await self.connect(found.sandbox_id)
        for nth in range(MOST):
            made = await insist(partial(self._make, run_id, warm, nth), self._waits.answer, InProgress)
            with contextlib.suppress(SandboxGone):
                return await self.connect(made)
        raise SandboxGone(run_id)

    async def _make(self, run_id: str, warm: str | None, nth: int) -> str:
        """Id of the run's n-th sandbox. E2B answers a repeated key as the first time, also when that sandbox is gone."""
        key = f"{self.deployment} {run_id} {nth} {warm or self.template} {self.git_host}"
        try:
            box = await self._client.AsyncSandbox.create(
                warm or self.template,
                timeout=LIFE,
                metadata={**self._ours, "run": run_id},
                lifecycle={"on_timeout": "pause", "auto_resume": False},
                network=from_the_start(self._policies.cloning),
                idempotency_key=f"backspace-{hashlib.sha256(key.encode()).hexdigest()}",
            )
        except SandboxException as refused:
            # Where it is not `warm` that is wrong, the cold one is refused as well.
            if warm and refused.status_code in (400, 404):
                raise WarmGone(warm) from refused
            raise
        return box.sandbox_id

    async def connect(self, sandbox_id: str) -> E2BSandbox:
        if not re.fullmatch(r"[a-z0-9-]+", sandbox_id):  # it becomes a part of an address
            raise SandboxGone(sandbox_id)
        box = await awake(partial(self._client.AsyncSandbox.connect, sandbox_id), self._waits)
        self._policies.known.pop(sandbox_id, None)
        return E2BSandbox(box, self._policies, self._waits, f"backspace-{self.deployment}", bool(self.wheels))

    async def runs(self) -> dict[str, str]:
        return {found.sandbox_id: found.metadata["run"] for found in await self._list({})}

    async def end(self, sandbox_id: str) -> None:
        with contextlib.suppress(SandboxGone):
            await (await self.connect(sandbox_id)).kill()

    async def forget(self, warm: str) -> None:
        async with within(self._waits.answer):
            await self._client.AsyncSandbox.delete_snapshot(warm)

    async def _list(self, metadata: dict[str, str]) -> list[SandboxInfo]:
        """Running or paused."""
        pages = self._client.AsyncSandbox.list(SandboxQuery(metadata=self._ours | metadata), limit=100)
        found: list[SandboxInfo] = []
        while pages.has_next:
            async with within(self._waits.answer):
                found += await pages.next_items()
        return found

    @property
    def _ours(self) -> dict[str, str]:
        return {"app": "backspace", "deployment": self.deployment}

    @property
    def _waits(self) -> Waits:
        return Waits(self.patience)

    @cached_property
    def _policies(self) -> Policies:
        return Policies(while_cloning(self.git_host), afterwards(self.egress))

    @cached_property
    def _client(self) -> E2B:
        return E2B(
            api_key=self.api_key,
            api_url=self.api_url,
            sandbox_url=self.sandbox_url,
            request_timeout=0,  # `within` has the deadlines
            debug=False,
        )
