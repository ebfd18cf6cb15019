"""The sandbox that the contract is tested on: every implementation, one after the other."""

import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from app.sandbox.base import Call, Result, Sandbox, Sandboxes
from app.sandbox.local import LocalSandboxes

Shell = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture(params=["bubblewrap", "none"])
def sandboxes(request: pytest.FixtureRequest, tmp_path: Path) -> Sandboxes:
    return LocalSandboxes(tmp_path / "sandboxes", isolation=request.param)


@pytest.fixture
async def sandbox(sandboxes: Sandboxes) -> AsyncIterator[Sandbox]:
    sandbox = await sandboxes.create(f"c-1-{uuid.uuid4().hex}/1")
    yield sandbox
    await sandbox.kill()


@pytest.fixture
def shell(sandbox: Sandbox) -> Shell:
    """Run a line of bash under a key of its own."""

    async def run(command: str, *, seconds: float = 20, key: str = "", network: bool = False) -> Result:
        return await sandbox.run(Call(key or uuid.uuid4().hex, ("bash", "-c", command), seconds, network=network))

    return run
