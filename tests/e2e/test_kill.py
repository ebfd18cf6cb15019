"""`kill -9` at any stage: the run goes on where it was, and nothing happens twice."""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.lab import FIX, Lab, Repo, Server, bash, until


@pytest.fixture(scope="module")
def mortal(lab: Lab) -> Iterator[Server]:
    yield (server := lab.server("mortal"))
    server.stop()


def _hold(path: str, method: str, after: bool) -> Callable[[Repo], Callable[[], bool]]:
    """The simulator holds a reply of GitHub's (`after`: its effect is made); true when the server waits for it."""

    def arrange(repo: Repo) -> Callable[[], bool]:
        fault = repo.fault(path, method=method, hold=True, after=after)
        return lambda: repo.hit(fault)

    return arrange


def _in_command(repo: Repo) -> Callable[[], bool]:
    return lambda: repo.server.has_made("began")


def _in_model(repo: Repo) -> Callable[[], bool]:
    return lambda: len(repo.asked()) == 2


MOMENTS = {
    "comment posted, not recorded": _hold(r"/issues/\d+/comments$", "POST", True),
    "in the middle of a command": _in_command,
    "in the middle of a reply of the model": _in_model,
    "commit made, no branch yet": _hold(r"/git/commits$", "POST", True),
    "branch made, not recorded": _hold(r"/git/refs$", "POST", True),
    "pull request open, not recorded": _hold(r"/pulls$", "POST", True),
    "before the last edit of the comment": _hold(r"/issues/comments/\d+$", "PATCH", False),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_started_again(lab: Lab, mortal: Server, moment: str) -> None:
    """FL-K05, FL-K06, FL-K07, FL-K08, FL-K09, FL-G22: in the order of MOMENTS, no effect is made twice and none is missing."""
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
