"""The sandbox that the contract is tested on: every implementation, one after the other."""

import os
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.sandbox.base import Call, Result, Sandbox, Sandboxes
from app.sandbox.e2b import E2BSandboxes
from app.sandbox.local import LocalSandboxes
from tests.e2b_cloud.lab import E2B, e2b_cloud

Shell = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture(scope="session")
def e2b(tmp_path_factory: pytest.TempPathFactory) -> Iterator[E2B]:
    """A stand-in for E2B."""
    with e2b_cloud(tmp_path_factory.mktemp("e2b")) as cloud:
        yield cloud


@pytest.fixture
def cloud(e2b: E2B) -> Iterator[E2B]:
    """E2B with nothing in it, and well again afterwards."""
    yield e2b
    e2b.mend()
    for sandbox in e2b.sandboxes():
        e2b.order("vanish", sandbox["id"])


@pytest.fixture
def run() -> str:
    """A run of the test's own: E2B answers what it was asked before as it did before."""
    return f"c-1-{uuid.uuid4().hex}/1"


@pytest.fixture(params=["bubblewrap", "none", "e2b", pytest.param("live", marks=pytest.mark.live)])
def sandboxes(request: pytest.FixtureRequest, tmp_path: Path) -> Sandboxes:
    """`live` is E2B itself, with the key of a team that has nothing else in it: `E2B_API_KEY=… pytest -m live`."""
    if request.param == "live":
        return E2BSandboxes(os.environ["E2B_API_KEY"], git_host="github.com", deployment="tests")
    if request.param == "e2b":
        return in_e2b(request.getfixturevalue("e2b"))
    return LocalSandboxes(tmp_path / "sandboxes", isolation=request.param)


@pytest.fixture
def rest(request: pytest.FixtureRequest) -> Callable[[Sandbox], None]:
    """Nobody asks for the sandbox for long: E2B pauses it then, on this machine nothing happens."""

    def rest(sandbox: Sandbox) -> None:
        if request.node.callspec.params["sandboxes"] == "e2b":
            request.getfixturevalue("e2b").order("expire", sandbox.id)

    return rest


def in_e2b(cloud: E2B, **differently: Any) -> E2BSandboxes:
    """Sandboxes of the stand-in; the git servers of the tests are on this machine."""
    given: dict[str, Any] = {"api_key": cloud.key, "api_url": cloud.url, "sandbox_url": cloud.url}
    return E2BSandboxes(**given | {"git_host": "127.0.0.1", "deployment": "12"} | differently)


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
