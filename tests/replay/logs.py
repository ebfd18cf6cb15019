"""Step logs of whole runs, as releases have recorded them: what a later version must be able to go on with."""

import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos._utils import INTERNAL_QUEUE_NAME

Json = dict[str, Any]
FOLDER = Path(__file__).parents[1] / "data" / "steps"
"""One folder for each version that recorded, in it a file for each scene."""


@dataclass(frozen=True)
class Log:
    """`steps`: each `{"name", "output"}`, in order; one that began another workflow has its id under `child` instead of an output."""

    workflow: str
    id: str
    input: Json
    output: Json
    steps: list[Json]

    @property
    def names(self) -> list[str]:
        return [step["name"] for step in self.steps]


def written() -> dict[str, Log]:
    """Every log that is kept, with a name for it: `0.1.0/approved/run`, and `0.1.0/approved/run 2` for one more of the same kind."""
    found: dict[str, Log] = {}
    for path in sorted(FOLDER.glob("*/*.json")):
        kinds = Counter[str]()
        for log in loaded(path):
            kinds[log.workflow] += 1
            number = f" {kinds[log.workflow]}" if kinds[log.workflow] > 1 else ""
            found[f"{path.parent.name}/{path.stem}/{log.workflow}{number}"] = log
    return found


def loaded(path: Path) -> list[Log]:
    return [Log(**made) for made in json.loads(path.read_text())]


def write(path: Path, logs: list[Log]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([vars(log) for log in logs], indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def read(database: Path, *mentions: str) -> list[Log]:
    """The logs of all workflows in a server's database that have returned and whose id or input mentions one of these."""
    engine = sa.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT workflow_uuid, name, i.inputs, o.output FROM workflow_status JOIN workflow_input i USING (workflow_uuid)"
                " JOIN workflow_output o USING (workflow_uuid) WHERE o.error IS NULL ORDER BY created_at, workflow_uuid"
            )
        ).all()
        found = [
            Log(
                workflow=row.name,
                id=row.workflow_uuid,
                input=json.loads(row.inputs)["positionalArgs"][0],
                output=json.loads(row.output),
                steps=_steps(connection, row.workflow_uuid),
            )
            for row in rows
            if any(mention in f"{row.workflow_uuid} {row.inputs}" for mention in mentions)
        ]
    engine.dispose()
    return found


def _steps(connection: sa.Connection, workflow: str) -> list[Json]:
    query = sa.text(
        "SELECT function_name, output, child_workflow_id FROM operation_outputs WHERE workflow_uuid = :id ORDER BY function_id"
    )
    return [
        {"name": row.function_name, "child": row.child_workflow_id}
        if row.child_workflow_id
        else {"name": row.function_name, "output": row.output and json.loads(row.output)}
        for row in connection.execute(query, {"id": workflow})
    ]


def put(connection: sa.Connection, log: Log, workflow_id: str, cut: int) -> None:
    """The first `cut` steps of a log, as the engine writes them; the workflow is in line, as one is that is taken up again."""
    now = int(time.time() * 1000)
    row = {
        "workflow_uuid": workflow_id, "status": "ENQUEUED", "name": log.workflow, "created_at": now, "updated_at": now, "priority": 0,
        "application_version": "1", "queue_name": INTERNAL_QUEUE_NAME, "recovery_attempts": 1, "application_name": "backspace",
        "serialization": "portable_json",
    }  # fmt: skip
    _insert(connection, "workflow_status", row)
    given = json.dumps({"namedArgs": {}, "positionalArgs": [log.input]})
    _insert(connection, "workflow_input", {"workflow_uuid": workflow_id, "inputs": given, "retention_timestamp": now})
    for number, step in enumerate(log.steps[:cut], 1):
        child = step.get("child")
        record = {
            "workflow_uuid": workflow_id, "function_id": number, "function_name": step["name"], "child_workflow_id": child,
            "output": None if child else json.dumps(step["output"]), "serialization": None if child else "portable_json",
            "application_name": "backspace", "retention_timestamp": now, "started_at_epoch_ms": now, "completed_at_epoch_ms": now,
        }  # fmt: skip
        _insert(connection, "operation_outputs", record)


def _insert(connection: sa.Connection, table: str, row: Json) -> None:
    connection.execute(sa.insert(sa.table(table, *map(sa.column, row))).values(row))


def names(connection: sa.Connection, workflow: str, cut: int) -> list[str]:
    """Of the steps that are recorded behind the first `cut`."""
    return [step["name"] for step in _steps(connection, workflow)[cut:]]


def errors(connection: sa.Connection) -> dict[str, str]:
    """What each workflow ended with that did not return."""
    query = sa.text("SELECT workflow_uuid, error FROM workflow_output WHERE error IS NOT NULL")
    return {row.workflow_uuid: json.loads(row.error)["message"] for row in connection.execute(query)}
