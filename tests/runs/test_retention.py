"""Logs are removed in time, and what was done stays done."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.e2e.lab import Lab, Server, until

MONTH = 31 * 24 * 3600


@pytest.fixture
def forgetful(lab: Lab) -> Iterator[Server]:
    yield (server := lab.server("forgetful"))
    server.stop()


def _query(server: Server, *statements: str) -> list[Any]:
    """The first value of each statement's first row."""
    with closing(sqlite3.connect(server.home / "backspace.db")) as database, database:
        return [(database.execute(statement).fetchone() or [0])[0] for statement in statements]


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
        "insert into artifact values ((select key from task), 'patch', 0, x'00')",
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
