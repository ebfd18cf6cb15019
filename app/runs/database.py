"""The database: a SQLite file for one process, or PostgreSQL for several. How it is opened, and what is said where it can't be."""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.core.errors import Transient, UserError
from app.runs import tables

log = logging.getLogger(__name__)
T = TypeVar("T")

_NO_ROOM = ("database or disk is full", "disk I/O error")
_CONNECT = 5
"""Seconds for PostgreSQL to answer a connection."""
_OUR_TABLES = 7_234_001
"""Key of the advisory lock under which the tables are made: any number that nobody else uses."""


marks = sa.Table(
    "mark",
    tables.metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
)
"""Moments of this database, in Unix seconds: `made`, and `asked`, when work was last asked for."""


class Database:
    """`engine` is for the library that records the steps; everything of ours goes through `transaction`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.shared = not url.startswith("sqlite")
        """Whether other processes use it too."""

    def open(self) -> None:
        """Raises UserError where it can't be had, or is not ours to use. What is there is left as it was."""
        if not self.shared:
            self._take_file()
        self.engine = _postgres(self.url) if self.shared else _sqlite(self.url)
        try:
            with self.engine.begin() as connection:
                self._make_tables(connection)
        except sa.exc.DBAPIError as e:
            raise UserError(f"BACKSPACE_DATABASE_URL: {self._problem(e)}") from None

    def reach(self) -> None:
        """Raises UserError where PostgreSQL can't be used. Nothing is made in it."""
        engine = _postgres(self.url)
        try:
            engine.connect().close()
        except sa.exc.DBAPIError as e:
            raise UserError(f"BACKSPACE_DATABASE_URL: {self._problem(e)}") from None
        finally:
            engine.dispose()

    def _take_file(self) -> None:
        """One SQLite file serves one process: then every unfinished workflow in it is ours to take up, and nobody races us."""
        path = Path(self.url.removeprefix("sqlite:///"))
        try:
            path.touch(mode=0o600)
            self._lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"Another Backspace process uses {path}: one SQLite file serves one process.") from None
        except OSError as e:
            raise UserError(f"BACKSPACE_DATABASE_URL: {path} can't be opened ({e.strerror}).") from None

    def _make_tables(self, connection: sa.Connection) -> None:
        if self.shared:  # two processes that start together would both make them
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_OUR_TABLES)))
        else:
            _check_file(connection)
        inspector = sa.inspect(connection)
        for table in tables.metadata.sorted_tables:
            there = {c["name"] for c in inspector.get_columns(table.name)} if inspector.has_table(table.name) else None
            missing = [column.name for column in table.columns if there is not None and column.name not in there]
            if missing:
                raise UserError(
                    f"BACKSPACE_DATABASE_URL: this database is not of this version of Backspace (its table {table.name} has no "
                    f"column {missing[0]}). It was left as it is: use another database, or the version that made it."
                )
        tables.create(connection)
        if marked("made")(connection) is None:
            mark("made")(connection)

    def _problem(self, error: sa.exc.DBAPIError) -> str:
        if self.shared:
            return f"PostgreSQL can't be used ({_first_line(error)})."
        path = self.url.removeprefix("sqlite:///")
        if isinstance(error, sa.exc.OperationalError):
            return f"{path} can't be opened ({_first_line(error)})."
        return (
            f"{path} is damaged or no SQLite database ({_first_line(error)}). It was left as it is: "
            "move it away to start anew, or put a backup in its place."
        )

    def transaction(self, work: Callable[[sa.Connection], T]) -> T:
        """Raises Transient where the database can't be reached or written: it is worth another try."""
        try:
            with self.engine.begin() as connection:
                return work(connection)
        except (sa.exc.OperationalError, sa.exc.TimeoutError) as e:
            raise Transient(f"The database can't be used now ({_first_line(e)}).") from e


def mark(name: str) -> Callable[[sa.Connection], None]:
    """It is now."""

    def write(connection: sa.Connection) -> None:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        now = time.time()
        made = insert(marks).values(name=name, at=now)  # in one statement: two first requests may come at once
        connection.execute(made.on_conflict_do_update(index_elements=[marks.c.name], set_={"at": now}))

    return write


def marked(name: str) -> Callable[[sa.Connection], float | None]:
    return lambda c: c.execute(sa.select(marks.c.at).where(marks.c.name == name)).scalar_one_or_none()


def _first_line(error: sa.exc.SQLAlchemyError) -> str:
    """What the driver said: SQLAlchemy would add the statement and its values."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def _check_file(connection: sa.Connection) -> None:
    """A damaged page would come to light in the middle of somebody's work."""
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise sa.exc.DatabaseError(None, None, Exception(found))


def _sqlite(url: str) -> sa.Engine:
    """One connection, write-ahead log, every commit on disk before the next step; DBOS's defaults set no write-ahead log."""
    engine = sa.create_engine(url, pool_size=1, max_overflow=0)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"  # a custom engine skips DBOS's own listener
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "handle_error", retval=True)
    def say_locked(context: sa.engine.ExceptionContext) -> BaseException | None:
        """A full disk will have room again. DBOS waits for a locked database, and would end the run for a full one."""
        said = str(context.original_exception)
        if any(words in said for words in _NO_ROOM):
            return sa.exc.OperationalError(None, None, sqlite3.OperationalError(f"database is locked: {said}"))
        return None

    return engine


def _postgres(url: str) -> sa.Engine:
    parsed = sa.make_url(url).set(drivername="postgresql+psycopg")
    return sa.create_engine(
        parsed, pool_size=10, max_overflow=6, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT}
    )
