"""Logs are removed in time, and what was done stays done."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from tests.e2e.lab import Lab, Server, until

MONTH = 31 * 24 * 3600


@pytest.fixture
def forgetful(lab: Lab, address: str) -> Iterator[Server]:
    yield (server := lab.server("forgetful", BACKSPACE_DATABASE_URL=address))
    server.stop()


def _query(server: Server, *statements: str) -> list[Any]:
    """The first value of each statement's first row."""
    url = sa.make_url(server.settings["BACKSPACE_DATABASE_URL"])
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg").update_query_dict({"options": "-csearch_path=public,dbos"})
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        found = [connection.exec_driver_sql(statement) for statement in statements]
        return [result.scalar() if result.returns_rows else 0 for result in found]


def test_an_old_delivery_of_a_task_whose_log_is_gone_does_not_run_again(lab: Lab, forgetful: Server) -> None:
    repo = lab.repository(forgetful)
    repo.script({"text": "All is well."})
    issue = repo.issue()
    guid = repo.comment(issue)["delivery"]["guid"]
    said = repo.finished(issue)
    until(lambda: _query(forgetful, "select count(*) from workflow_status where status = 'PENDING'") == [0])
    forgetful.kill()
    _query(
        forgetful,
        f"update workflow_status set created_at = created_at - {MONTH * 1000}",
        f"update task set created_at = created_at - {MONTH}",
        "insert into artifact select key, 'patch', 0, '' from task",
    )
    forgetful.start()
    counts = [f"select count(*) from {table}" for table in ("operation_outputs", "workflow_status", "artifact", "task")]
    until(lambda: _query(forgetful, *counts) == [0, 0, 0, 1], what="the removal of the log")

    lab.call("POST", f"/_sim/deliveries/{guid}/redeliver", times=2)
    lab.call("POST", f"/_sim/deliveries/{guid}/redeliver", new_guid=True)
    assert _query(forgetful, *counts) == [0, 0, 0, 1]
    assert len(repo.asked()) == 1
    (task,) = _query(forgetful, "select key from task")
    reply = httpx.get(f"{forgetful.url}/code/{task}", timeout=5)
    assert (reply.status_code, reply.json()["error"]) == (404, "The task is over, and its log is not kept any more.")
    assert repo.status(issue) == said
