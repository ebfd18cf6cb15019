"""The running server against its description: whatever the description allows or forbids is sent, and each answer must be one it names."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import SecretStr
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.core.api_keys import ApiKey
from app.web.openapi import description
from tests.web.desk import RUN, Desk, served

KEY = "0123456789abcdef"
STRICTER: list[Any] = [positive_data_acceptance]
"""The server may refuse more than a schema can tell: another host's address, a branch name that git does not take."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server in a thread of its own, with one task that is over."""
    desk = Desk()
    desk.tasks[desk.task(*RUN)].patch = b"diff"
    loop, up = asyncio.new_event_loop(), threading.Event()
    end = asyncio.Event()
    found: list[str] = []

    async def serve() -> None:
        async with served(desk, keys=(ApiKey(name="ci", key=SecretStr(KEY)),)) as edge:
            found.append(edge.url)
            up.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert up.wait(10)
    yield found[0]
    loop.call_soon_threadsafe(end.set)
    thread.join()
    loop.close()


described = schemathesis.openapi.from_dict(description())


@described.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_is_described(case: Case[Any], url: str) -> None:
    """RT-A08"""
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=STRICTER)
