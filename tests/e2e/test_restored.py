"""A copy of the database, as docs/operations.md says to make it, in the place of the one that was lost."""

import sqlite3
from contextlib import closing

from tests.e2e.lab import FIX, Lab, bash, until


def test_a_copy_made_while_work_went_on_goes_on_with_it(lab: Lab) -> None:
    """The work went further than the copy knows, up to its pull request, and none of that is done twice."""
    server = lab.server("restored")
    try:
        repo = lab.repository(server)
        issue = repo.ask(
            {"tools": [FIX]},
            {"tools": [bash("touch ../began; sleep 2")]},
            *({"text": "Greet with a comma"} for _ in range(2)),
        )
        until(lambda: server.has_made("../began"))
        file, copy = server.home / "backspace.db", server.home / "copy.db"
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        until(repo.pulls, what="the pull request")
        server.kill()
        for lost in server.home.glob("backspace.db*"):
            lost.unlink()
        copy.rename(file)
        server.start()
        assert "✅" in repo.finished(issue)
        until(lambda: not server.sandboxes(), what="the end")
        assert len(repo.pulls()) == len(repo.ours(issue)) == 1
        assert len(repo.branches()) == 2
    finally:
        server.stop()
