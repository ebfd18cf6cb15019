"""What a server costs itself and its database, read from outside: /proc, PostgreSQL's statistics, a SQLite file's pages."""

import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg


@dataclass(frozen=True)
class Reading:
    """Sums since the server or its database began, but for `resident` and `connections`."""

    cpu: float
    """Seconds."""
    resident: float
    """MB."""
    commits: int
    """Of the whole database, reads included; 0 for SQLite, which does not count them."""
    wal: int
    """Bytes written ahead; for SQLite, all bytes that the process wrote to disk."""
    connections: int
    rows: Counter[tuple[str, str]]
    """Written, by table and by "in", "up" or "del"; for SQLite "in" is what is there."""
    size: Counter[str]
    """Bytes of each table with its indexes; for SQLite without what is free in its pages."""


Gauge = Callable[[int], Reading]
"""Takes the server's process id."""


def resident(pid: int) -> float:
    """MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def of_postgres(url: str) -> Gauge:
    """Its own transactions count too: a few for each reading."""

    def read(pid: int) -> Reading:
        rows: Counter[tuple[str, str]] = Counter()
        size: Counter[str] = Counter()
        with psycopg.connect(url, autocommit=True) as c:
            query = "select relname, n_tup_ins, n_tup_upd, n_tup_del, pg_total_relation_size(relid) from pg_stat_user_tables"
            for table, inserted, updated, deleted, held in c.execute(query):
                rows.update({(table, "in"): inserted, (table, "up"): updated, (table, "del"): deleted})
                size[table] += held
            of_all = "select xact_commit from pg_stat_database where datname = current_database()"
            of_others = (
                "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            )
            commits, connections, wal = (
                int(one[0])
                for query in (of_all, of_others, "select wal_bytes from pg_stat_wal")
                if (one := c.execute(query).fetchone())
            )
        return Reading(cpu_seconds(pid), resident(pid), commits, wal, connections, rows, size)

    return read


def of_sqlite(file: Path) -> Gauge:
    def read(pid: int) -> Reading:
        rows: Counter[tuple[str, str]] = Counter()
        size: Counter[str] = Counter()
        with closing(sqlite3.connect(file)) as c:
            for (table,) in c.execute("select name from sqlite_master where type = 'table'").fetchall():
                (rows[table, "in"],) = c.execute(f'select count(*) from "{table}"').fetchone()
            query = "select m.tbl_name, sum(s.payload) from dbstat s join sqlite_master m on m.name = s.name group by 1"
            size.update(dict(c.execute(query).fetchall()))
        lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
        return Reading(cpu_seconds(pid), resident(pid), 0, int(lines["write_bytes"]), 1, rows, size)

    return read
