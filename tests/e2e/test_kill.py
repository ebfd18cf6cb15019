"""`kill -9` at any stage: the run goes on where it was, and nothing happens twice."""

from collections.abc import Callable, Iterator

import pytest

from tests.chaos.log import Log
from tests.e2e.forked import ForkedServer
from tests.e2e.lab import FIX, Lab, Repo, bash, until


@pytest.fixture(scope="module")
def mortal(lab: Lab) -> Iterator[ForkedServer]:
    server = lab.make(ForkedServer, "mortal")
    server.start()
    yield server
    server.stop()


def _hold(path: str) -> Callable[[Repo], Callable[[], bool]]:
    """The simulator holds a reply of GitHub's, whose effect is made; true when the server waits for it."""

    def arrange(repo: Repo) -> Callable[[], bool]:
        fault = repo.fault(path, method="POST", hold=True, after=True)
        return lambda: repo.hit(fault)

    return arrange


def _in_command(repo: Repo) -> Callable[[], bool]:
    return lambda: repo.server.has_made("began")


def _in_model(repo: Repo) -> Callable[[], bool]:
    return lambda: len(repo.asked()) == 2


def _before_the_last_edit(repo: Repo) -> Callable[[], bool]:
    """All but that is done; an earlier edit, which the last one waits for, gets no reply."""
    fault = repo.fault(r"/issues/comments/\d+$", method="PATCH", hold=True)
    log = Log(f"sqlite:///{repo.server.home}/backspace.db")
    return lambda: repo.hit(fault) and [run.step for run in log.now().unfinished] == ["end"]


MOMENTS = {
    "comment posted, not recorded": _hold(r"/issues/\d+/comments$"),
    "in the middle of a command": _in_command,
    "in the middle of a reply of the model": _in_model,
    "commit made, no branch yet": _hold(r"/git/commits$"),
    "branch made, not recorded": _hold(r"/git/refs$"),
    "pull request open, not recorded": _hold(r"/pulls$"),
    "before the last edit of the comment": _before_the_last_edit,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_started_again(lab: Lab, mortal: ForkedServer, moment: str) -> None:
    """FL-G22, FL-K05, FL-K04, FL-K06, FL-K07, FL-K08, FL-K09: in the order of MOMENTS, no effect is made twice and none is missing."""
    repo = lab.repository(mortal)
    reached = MOMENTS[moment](repo)
    repo.script(
        {"tools": [FIX, bash("touch began; echo x >> effects; sleep 1; rm began")]},
        {"text": "Greet with a comma", "delay": 1},
    )
    issue = repo.issue()
    repo.lab.http.post(f"{repo.control}/issues/{issue}/comments", json={"user": "alice", "body": "/backspace go"})
    until(reached, what=moment)
    mortal.kill()
    mortal.start()

    comment = repo.finished(issue)
    assert "✅" in comment
    assert len(repo.ours(issue)) == 1
    (pull,) = repo.pulls()
    assert sorted(repo.branches()) == sorted(["main", pull["head"]])
    assert repo.file("effects", pull["head"]) == "x\n"
    assert not [s for s in mortal.sandboxes() if list(s.rglob("greet.py"))]
