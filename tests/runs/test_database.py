"""The database's bad days."""

import resource
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from app.core.errors import UserError
from app.runs import tables
from app.runs.database import Database
from tests.command import backspace
from tests.e2e.lab import Lab, Server, free_port, until
from tests.runs.postgres import database, postgres

__all__ = ["database", "postgres"]


def _no_database(path: Path) -> None:
    path.write_bytes(b"this is a text " * 1000)


def _damaged_in_the_middle(path: Path) -> None:
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("pragma journal_mode=wal")
        made.execute("create table words (word text)")
        made.executemany("insert into words values (?)", [("word" * 100,)] * 100)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)


def _of_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("pragma journal_mode=wal")
        made.execute("create table task (seq integer primary key, key text)")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_no_database, "is damaged or no SQLite database (file is not a database)"),
        (_damaged_in_the_middle, "is damaged or no SQLite database"),
        (_of_another_version, "is not of this version of Backspace (its table task has no column thread)"),
    ],
)
def test_a_database_that_is_not_ours_to_use_is_left_as_it_is(
    server: Server, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    """FL-O03"""
    damage(path := tmp_path / "backspace.db")
    before = path.read_bytes()
    settings = {**server.settings, "PORT": str(free_port()), "BACKSPACE_DATABASE_URL": f"sqlite:///{path}"}
    done = backspace("serve", cwd=tmp_path, settings=settings, seconds=60)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert path.read_bytes() == before


def test_postgresql_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    away = Database(f"postgresql://somebody:a-canary@127.0.0.1:{free_port()}/x")
    with pytest.raises(UserError) as raised:
        away.open()
    assert "BACKSPACE_DATABASE_URL: PostgreSQL can't be used (" in str(raised.value)
    assert "canary" not in str(raised.value)


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    """FL-O02: another program, a backup perhaps, holds the lock for a moment."""
    ours = Database(f"sqlite:///{tmp_path}/backspace.db")
    ours.open()
    with closing(sqlite3.connect(tmp_path / "backspace.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        saying = threading.Thread(target=ours.transaction, args=[tables.say("t", "stop", "ann", "k")])
        saying.start()
        saying.join(0.3)
        assert saying.is_alive()
        other.execute("rollback")
        saying.join(10)
    assert ours.transaction(tables.who_stopped("t")) == "ann"
    ours.engine.dispose()


def test_a_full_disk_costs_time_and_nothing_else(lab: Lab) -> None:
    """FL-O01: no file can grow for a while. New work is refused, and what runs goes on when there is room."""
    server = lab.server("full")
    assert server.process
    repo = lab.repository(server)
    repo.script({"text": "All is well.", "delay": 3})
    first, second = repo.issue(), repo.issue()
    repo.comment(first)
    until(repo.asked, what="the question to the model")
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    refused = repo.comment(second)["delivery"]
    assert refused["status"] == 503
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    time.sleep(4)  # the reply has come, and can't be recorded
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    lab.call("POST", f"/_sim/deliveries/{refused['guid']}/redeliver")
    for issue in (first, second):
        repo.finished(issue)
    assert len(repo.asked()) == 2
    server.stop()
    with closing(sqlite3.connect(server.home / "backspace.db")) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)


def test_tables_that_are_there_stay(database: str) -> None:
    first = Database(database)
    first.open()
    first.transaction(tables.say("t", "stop", "ann", "k"))
    second = Database(database)
    second.open()
    assert second.transaction(tables.who_stopped("t")) == "ann"
    for made in (first, second):
        made.engine.dispose()


def test_what_two_processes_record_at_once_is_there_once(database: str) -> None:
    """The second waits for the first, and is no failure."""
    ours = Database(database)
    ours.open()
    late = threading.Thread(target=ours.transaction, args=[tables.say("t", "stop", "bob", "k")])
    waiting = sa.text("select count(*) from pg_locks where not granted")
    with ours.engine.begin() as connection:
        tables.say("t", "stop", "ann", "k")(connection)
        late.start()
        until(lambda: ours.transaction(lambda c: c.execute(waiting).scalar_one()))
    late.join()
    assert ours.transaction(lambda c: c.execute(sa.select(tables.inbox.c.actor)).scalars().all()) == ["ann"]
    ours.engine.dispose()
