"""`kill -9` at any stage: the run goes on where it was, and nothing happens twice. The short form of tests/chaos."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import pytest

from tests.chaos.jobs import Job
from tests.chaos.log import Log
from tests.e2e.forked import ForkedServer
from tests.e2e.lab import FIX, Json, Lab, Repo, Server, bash, until


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

    def is_reached() -> bool:
        with closing(_log(repo.server)) as log:
            return repo.hit(fault) and [run.step for run in log.now().unfinished] == ["end"]

    return is_reached


def _log(server: Server) -> Log:
    return Log(f"sqlite:///{server.home}/backspace.db")


MOMENTS = {
    "comment posted, not recorded": _hold(r"/issues/\d+/comments$"),
    "in the middle of a command": _in_command,
    "in the middle of a reply of the model": _in_model,
    "commit made, no branch yet": _hold(r"/git/commits$"),
    "branch made, not recorded": _hold(r"/git/refs$"),
    "pull request open, not recorded": _hold(r"/pulls$"),
    "before the last edit of the comment": _before_the_last_edit,
}


TURNS: tuple[Json, ...] = (
    {"tools": [FIX, bash("touch began; echo x >> effects; sleep 1; rm began")]},
    {"text": "Greet with a comma", "delay": 1},
)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_started_again(lab: Lab, mortal: ForkedServer, moment: str) -> None:
    """FL-G22, FL-K05, FL-K04, FL-K06, FL-K07, FL-K08, FL-K09: in the order of MOMENTS, no effect is made twice and none is missing."""
    job = Job(moment, lab.repository(mortal), TURNS, effects="x\n")
    reached = MOMENTS[moment](job.repo)
    with closing(_log(mortal)) as log:
        job.ask(log)
        until(reached, what=moment)
        mortal.kill()
        mortal.start()
        until(lambda: job.is_over(log), what="the end of the run")
        assert [str(problem) for problem in job.problems(log)] == []
    assert not [s for s in mortal.sandboxes() if list(s.rglob("greet.py"))]


def _has_asked(repo: Repo, times: int) -> bool:
    return len(repo.asked()) == times


def test_a_turn_that_ends_its_server_again_and_again_is_given_up(lab: Lab, mortal: ForkedServer) -> None:
    """FL-K12: a kill before a turn that is recorded is forgotten; after three in the next one what there is is published."""
    repo = lab.repository(mortal)
    issue = repo.ask({"tools": [FIX], "hold": True}, {"text": "Greet with a comma", "hold": True})

    def killed_in(*requests: int) -> None:
        for number in requests:
            until(partial(_has_asked, repo, number), what="a request to the model")
            mortal.kill()
            mortal.start()

    killed_in(1)
    repo.let_go()
    killed_in(3, 4, 5)
    comment = repo.finished(issue)
    (pull,) = repo.pulls()
    assert f"### ❌ Failed: the work so far is [#{pull['number']}]" in comment
    assert "The server was ended three times at this point, so the work goes no further." in comment
    assert pull["draft"]
    assert repo.file("greet.py", pull["head"]) == 'def greet(name):\n    return f"Hello, {name}!"\n'
    assert len(repo.asked()) == 5
