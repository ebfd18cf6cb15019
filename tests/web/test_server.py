"""What the edge says about itself, and to those who ask for what is not there."""

import aiohttp
import pytest

from tests.web.conftest import Edge


@pytest.mark.parametrize(("ready", "status", "word"), [(True, 200, "ok"), (False, 503, "unavailable")])
async def test_health_tells_whether_work_is_taken(edge: Edge, ready: bool, status: int, word: str) -> None:
    edge.ready = ready
    async with aiohttp.ClientSession() as session, session.get(edge.url("/healthz")) as reply:
        assert (reply.status, await reply.json()) == (status, {"status": word})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/webhook", 405), ("POST", "/nothing", 404), ("POST", "/healthz", 405)],
)
async def test_unknown_routes_get_a_json_error_and_no_version(edge: Edge, method: str, path: str, status: int) -> None:
    async with aiohttp.ClientSession() as session, session.request(method, edge.url(path)) as reply:
        assert (reply.status, list(await reply.json())) == (status, ["error"])
        assert "Server" not in reply.headers


async def test_an_ordinary_answer_has_no_version_either(edge: Edge) -> None:
    async with aiohttp.ClientSession() as session, session.get(edge.url("/healthz")) as reply:
        assert "Server" not in reply.headers
