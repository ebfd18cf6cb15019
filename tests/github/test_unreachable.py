"""A network that does not let us through, to GitHub and to the model: no names, broken TLS, a proxy that wants a password."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from app.agent.budget import TurnUsage
from app.agent.claude import AGAIN, Claude, Tries, TurnLost
from app.core.errors import Transient
from app.github.app import App
from tests.github.conftest import KEY, PEM

PROXY = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"


def _own_certificate(folder: Path) -> ssl.SSLContext:
    """That nobody has signed but its owner."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, KEY.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    path = folder / "own.pem"
    path.write_bytes(made.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + PEM.encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@asynccontextmanager
async def _listening(said: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A port on which every request gets these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture(params=["no such name", "a certificate of its own", "no TLS at all", "a proxy's 407"])
async def address(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    match request.param:
        case "no such name":
            yield "http://no-such-host.invalid"
        case "a certificate of its own":
            async with _listening(b"", _own_certificate(tmp_path)) as port:
                yield f"https://127.0.0.1:{port}"
        case "no TLS at all":
            async with _listening(PROXY) as port:
                yield f"https://127.0.0.1:{port}"
        case "a proxy's 407":
            async with _listening(PROXY) as port:
                yield f"http://127.0.0.1:{port}"


async def test_github_is_tried_again_a_few_times(address: str) -> None:
    """FL-O05: `runs/steps.py` has a limit of its own for the whole step."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with aiohttp.ClientSession() as session:
        app = App(session, address, 1, PEM, sleep=sleep)
        with pytest.raises(Transient) as error:
            await app.facts()
    assert len(waits) == 3
    assert "ey" + "J" not in str(error.value), "the JWT"


async def test_the_model_is_asked_again_a_few_times_and_nothing_is_counted(address: str) -> None:
    """FL-O05"""

    async def room(lost: TurnUsage, requests: int) -> int:
        return 4000

    claude = Claude("sk-test", address, "claude-sonnet-5-5", idle=5, backoff=0.01)
    try:
        with pytest.raises(TurnLost):
            await claude.turn(
                system="s",
                tools=[],
                messages=[{"role": "user", "content": "o/r"}],
                room=room,
                tries=(tries := Tries()),
                seconds=20,
            )
    finally:
        await claude.close()
    assert tries.requests == AGAIN + 1
    assert tries.discarded == TurnUsage()
