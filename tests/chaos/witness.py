"""Which process had which run and recorded which step, as PostgreSQL saw it: each connects under a name of its own, triggers note it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

_WITNESS = """
create table witness (at float, process text, what text, run text);
create function witness() returns trigger language plpgsql as $$ begin
  insert into public.witness select extract(epoch from clock_timestamp()), current_setting('application_name'), tg_argv[0],
    coalesce(to_jsonb(new), to_jsonb(old)) ->> tg_argv[1];
  return null;
end $$;
create trigger held after insert or update of execution on holder for each row execute function witness('held', 'workflow');
create trigger ended after delete on holder for each row execute function witness('ended', 'workflow');
create trigger recorded after insert on dbos.operation_outputs
  for each row execute function witness('recorded', 'workflow_uuid');
"""
"""A workflow is held by the process that wrote to its row of `holder` last, until the row goes. Each of its steps is a row, too."""


@dataclass(frozen=True)
class Seen:
    at: float
    """Unix seconds by the database's clock."""
    process: str
    what: Literal["held", "ended", "recorded"]
    run: str


def named(url: str, process: str) -> str:
    """The database's address for a server that is to be known by this name."""
    return sa.make_url(url).update_query_dict({"application_name": process}).render_as_string(hide_password=False)


class Witness:
    """To be called once a server has made the tables. Sees runs alone, no other workflow."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(sa.make_url(named(url, "witness")).set(drivername="postgresql+psycopg"))
        with self._engine.begin() as connection:
            connection.exec_driver_sql(_WITNESS)

    def seen(self) -> list[Seen]:
        """In the order of time."""
        query = "select at, process, what, run from witness where run ~ '[.][0-9]+$' order by at"
        with self._engine.connect() as connection:
            return [Seen(*row) for row in connection.exec_driver_sql(query)]

    def close(self) -> None:
        self._engine.dispose()


def held_by(seen: Sequence[Seen], process: str, at: float) -> set[str]:
    """The runs that this process had at that moment."""
    holders = {
        one.run: one.process if one.what == "held" else "" for one in seen if one.what != "recorded" and one.at <= at
    }
    return {run for run, holder in holders.items() if holder == process}


def went_on(seen: Sequence[Seen], what: Literal["held", "recorded"], process: str, at: float) -> list[float]:
    """Of the runs that this process had at that moment: seconds until another one held each, or recorded its next step."""
    lost, after = held_by(seen, process, at), dict[str, float]()
    for one in seen:
        if one.at > at and one.what == what and one.process != process and one.run in lost:
            after.setdefault(one.run, one.at - at)
    return list(after.values())


def strangers(seen: Sequence[Seen]) -> list[Seen]:
    """Steps that were recorded by a process that did not hold the run."""
    holders: dict[str, str] = {}
    found = []
    for one in seen:
        if one.what == "held":
            holders[one.run] = one.process
        elif one.what == "recorded" and holders.get(one.run) != one.process:
            found.append(one)
    return found
