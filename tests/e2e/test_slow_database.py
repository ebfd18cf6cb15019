"""POST /code on a database that is slower than GitHub's patience with a delivery: what runs was said to run."""

from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa

from app.runs.engine import TO_BEGIN
from tests.e2e.lab import Lab, Server
from tests.runs.postgres import database, postgres

__all__ = ["database", "postgres"]
pytestmark = pytest.mark.many

SLOW = f"""
create function slow() returns trigger as $$ begin
    if new.workflow_uuid ~ '[.]ask$' then perform pg_sleep({TO_BEGIN + 1}); end if;
    return new;
end $$ language plpgsql;
create trigger slow before insert on dbos.workflow_status for each row execute function slow();
"""


@pytest.fixture
def slow(lab: Lab, database: str) -> Iterator[Server]:
    server = lab.server("slow", BACKSPACE_DATABASE_URL=database)
    try:
        engine = sa.create_engine(sa.make_url(database).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql(SLOW)
        yield server
    finally:
        server.kill()


def test_the_answer_waits_until_it_is_known_that_the_task_runs(lab: Lab, slow: Server) -> None:
    repo = lab.repository(slow)
    repo.script({"text": "Nothing to do."})
    asked = {"repo_url": f"{lab.url}/{repo.full_name}", "prompt": "Add the comma."}
    reply = httpx.post(f"{slow.url}/code", json=asked, timeout=60)
    assert (reply.status_code, reply.headers["Location"][:8]) == (200, "/code/t-")
    assert '"Done"' in reply.text.splitlines()[-2]
