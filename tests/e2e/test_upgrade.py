"""A server whose new version does not fit what the one before has recorded: nothing is lost, and nobody waits for ever."""

import json
import sqlite3
from contextlib import closing

from tests.e2e.lab import FIX, Lab, Repo, Server, until


def _execute(server: Server, *statements: tuple[str, dict[str, str]]) -> None:
    """While it is down: what another version would have written."""
    with closing(sqlite3.connect(server.home / "backspace.db")) as database, database:
        for statement, values in statements:
            assert database.execute(statement, values).rowcount == 1, statement


def _held(repo: Repo, turns: int) -> int:
    """A run whose model is at its last turn, of so many."""
    repo.script(*[{"tools": [FIX]}][: turns - 1], {"text": "Greet with a comma", "hold": True})
    issue = repo.issue()
    repo.comment(issue)
    until(lambda: len(repo.asked()) == turns, what=f"turn {turns}")
    return issue


def test_work_that_a_new_version_can_not_go_on_with_is_published_and_told(lab: Lab) -> None:
    """A step of another name, when a change was made; a request, a step and an event that can't be read; a request not taken yet."""
    server = lab.server("upgraded")
    try:
        renamed, strange, early = (lab.repository(server) for _ in range(3))
        issues = [_held(renamed, 2), _held(strange, 1), early.issue()]
        held = early.fault("/collaborators/alice/permission$", hold=True)
        early.comment(issues[2])
        until(lambda: early.hit(held), what="the question who may")
        server.kill()
        step = "UPDATE operation_outputs SET {} WHERE workflow_uuid LIKE :run AND function_name = :name"
        input = "UPDATE workflow_input SET inputs = '{' WHERE workflow_uuid LIKE :run"
        seen = "INSERT INTO operation_outputs SELECT workflow_uuid, 1, 'seen', '{}', null, null, 0, 0, 'portable_json', null, 0"
        event = 'output = replace(output, \'"type":"Stage"\', \'"type":"Scene"\')'
        _execute(
            server,
            (step.format("function_name = 'made ready'"), {"run": f"c-{renamed.id}-%.1", "name": "prepare"}),
            (step.format(event), {"run": f"c-{strange.id}-%.1", "name": "begin"}),
            (step.format("output = '{'"), {"run": f"c-{strange.id}-%.1", "name": "prepare"}),
            (input, {"run": f"c-{strange.id}-%.1"}),
            (f"{seen} FROM workflow_status WHERE workflow_uuid LIKE :run", {"run": f"c-{early.id}-%.intake"}),
        )
        server.start()

        comment = renamed.finished(issues[0])
        (pull,) = renamed.pulls()
        assert pull["draft"]
        assert renamed.file("greet.py", pull["head"]) == 'def greet(name):\n    return f"Hello, {name}!"\n'
        for said in (comment, pull["body"]):
            assert "could not go on with this work, for it was updated meanwhile or has a bug" in said
            assert "What was done up to turn 1 is here; ask again for the rest." in said
        assert "Nothing that was changed is kept; ask again." in strange.finished(issues[1])
        assert strange.pulls() == []
        until(lambda: early.ours(issues[2]), what="an answer")
        assert "say it again" in early.status(issues[2])
        assert [len(repo.asked()) for repo in (renamed, strange, early)] == [2, 1, 0]
        until(lambda: not server.sandboxes(), what="the end of all sandboxes")
        assert all(json.loads(line) for line in server.log.splitlines())
    finally:
        server.stop()
