"""Where the runs of a server stand, read from its database: while it works, and after it was killed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

STAGES = ("queued", "prepare", "work", "gate", "verify", "publish", "report")
ASKING = ("intake", "ask")
"""Workflows that put a run in line."""
_FOLLOWS = {
    "": "prepare",
    "begin": "prepare",
    "sandbox": "prepare",
    "clone": "prepare",
    "prepare": "work",
    "tools": "work",
    "restore": "work",
    "commit": "publish",
    "pull": "report",
    "end": "report",
    "report": "report",
    "close": "report",
}
"""The stage that a run is in behind its last recorded step, where the step's name alone tells it."""


def stage(status: str | None, step: str, output: dict[str, Any]) -> str:
    """`status` of the workflow, None where there is none yet; `step` is the last recorded one."""
    if status is None or (status == "ENQUEUED" and not step):
        return "queued"
    match step:
        case "turn":
            return "work" if output.get("stop_reason") == "tool_use" else "gate"
        case "gate":
            return "verify" if output.get("changes") else "report"
        case "verify":
            return "work" if output.get("mend") else "publish"
        case _:
            return _FOLLOWS[step]


@dataclass(frozen=True)
class Run:
    key: str
    stage: str
    step: str
    steps: int
    workflow: str
    """The one that has it now: the run itself, or what puts it in line."""


@dataclass(frozen=True)
class Taken:
    """A workflow that a process took up, and has not ended."""

    execution: str
    vain: int
    """How often it was taken up again since its last recorded step."""
    step: str

    @property
    def waits(self) -> bool:
        """In the line before the queue, which it leaves for the queue however that ends."""
        return self.step == "acknowledge"


@dataclass(frozen=True)
class Moment:
    unfinished: Sequence[Run]
    pending: Sequence[str]
    """Workflows that have not ended, runs and all others."""
    over: int
    """Tasks that have their outcome."""
    taken: Mapping[str, Taken]
    """By workflow."""


class Log:
    """Reads, and never writes."""

    def __init__(self, url: str) -> None:
        postgres = url.startswith("postgres")
        self._engine = sa.create_engine(
            sa.make_url(url).set(drivername="postgresql+psycopg") if postgres else url, isolation_level="AUTOCOMMIT"
        )
        dbos = "dbos." if postgres else ""
        steps = f"FROM {dbos}operation_outputs o WHERE o.workflow_uuid ="
        last, newest = f"{steps} t.key || '.1'", "ORDER BY function_id DESC LIMIT 1"
        self._runs = sa.text(
            f"SELECT t.key, w.status, (SELECT function_name {last} {newest}) AS step, (SELECT output {last} {newest}) AS output,"
            f" (SELECT count(*) {last}) AS steps"
            f" FROM task t LEFT JOIN {dbos}workflow_status w ON w.workflow_uuid = t.key || '.1'"
            " WHERE t.outcome IS NULL OR w.status IN ('PENDING', 'ENQUEUED')"
        )
        self._taken = sa.text(
            f"SELECT h.workflow, h.execution, h.vain, (SELECT function_name {steps} h.workflow {newest}) AS step FROM holder h"
        )
        self._pending = sa.text(
            f"SELECT workflow_uuid, name, executor_id FROM {dbos}workflow_status WHERE status IN ('PENDING', 'ENQUEUED')"
        )
        self._turns = sa.text(
            f"SELECT output FROM {dbos}operation_outputs WHERE workflow_uuid = :run AND function_name = 'turn' ORDER BY function_id"
        )

    def now(self) -> Moment:
        with self._engine.connect() as connection:
            rows = connection.execute(self._runs).all()
            pending = connection.execute(self._pending).all()
            taken = connection.execute(self._taken).all()
            over = connection.execute(sa.text("SELECT count(*) FROM task WHERE outcome IS NOT NULL")).scalar_one()
        asked = {row.workflow_uuid.rpartition(".")[0]: row.workflow_uuid for row in pending if row.name in ASKING}
        runs = [
            Run(
                row.key,
                stage(row.status, row.step or "", read(row.output)),
                row.step or "",
                row.steps,
                f"{row.key}.1" if row.status else asked.get(row.key, ""),
            )
            for row in rows
        ]
        new = sorted(asked.keys() - {run.key for run in runs})
        runs += [Run(key, "queued", "", 0, asked[key]) for key in new if not self._is_task(key)]
        held = {row.workflow: Taken(row.execution, row.vain, row.step or "") for row in taken}
        return Moment(runs, [row.workflow_uuid for row in pending], over, held)

    def _is_task(self, key: str) -> bool:
        with self._engine.connect() as connection:
            return connection.execute(sa.text("SELECT 1 FROM task WHERE key = :key"), {"key": key}).first() is not None

    def tasks(self, repository: int) -> dict[str, str | None]:
        """Outcomes of all tasks in a repository, by their keys."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT key, thread, outcome FROM task ORDER BY seq")).all()
        mine = (f"{repository}#", f"{repository}@")
        return {row.key: row.outcome for row in rows if row.thread.startswith(mine)}

    def turns(self, task: str) -> list[dict[str, Any]]:
        """The replies of the model that were recorded."""
        with self._engine.connect() as connection:
            outputs = connection.execute(self._turns, {"run": f"{task}.1"}).scalars().all()
        return [turn for output in outputs if "spent" in (turn := read(output))]

    def executors(self) -> dict[str, str | None]:
        """Which process has each unfinished run."""
        with self._engine.connect() as connection:
            return {
                row.workflow_uuid: row.executor_id
                for row in connection.execute(self._pending).all()
                if row.name == "run"
            }

    def close(self) -> None:
        self._engine.dispose()


def read(output: str | None) -> dict[str, Any]:
    found = json.loads(output) if output else {}
    return found if isinstance(found, dict) else {}
