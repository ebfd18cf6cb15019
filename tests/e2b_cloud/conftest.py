from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from e2b import AsyncSandbox

from tests.e2b_cloud.lab import E2B, e2b_cloud

Create = Callable[..., Awaitable[AsyncSandbox]]


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[E2B]:
    with e2b_cloud(tmp_path_factory.mktemp("e2b")) as running:
        yield running


@pytest.fixture
def e2b(stand_in: E2B) -> Iterator[E2B]:
    """With no faults left of another test."""
    yield stand_in
    stand_in.mend()


@pytest.fixture
async def create(e2b: E2B) -> AsyncIterator[Create]:
    """The SDK's `create`; what it made is killed after the test."""
    made: list[AsyncSandbox] = []

    async def create(**asked: Any) -> AsyncSandbox:
        made.append(await AsyncSandbox.create(**{"timeout": 60, **e2b.options, **asked}))
        return made[-1]

    yield create
    e2b.mend()
    for sandbox in made:
        await sandbox.kill()


@pytest.fixture
async def sandbox(create: Create) -> AsyncSandbox:
    return await create()
