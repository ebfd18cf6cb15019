"""A whole run whose model has a bad day. llmock judges how it was asked again."""

from collections.abc import Iterator

import pytest
from llmock.pytest_plugin import LLMock

from tests.e2e.lab import FIX, Lab, Server, bash, until

WAIT = bash("touch began; until [ -e go ]; do sleep 0.1; done; rm began go")
EFFECT = bash("echo made >> effects")


@pytest.fixture
def server(lab: Lab, llmock: LLMock) -> Iterator[Server]:
    server = lab.server("llmock", ANTHROPIC_BASE_URL=llmock.base_url("anthropic"))
    yield server
    server.stop()


def test_the_model_is_asked_again_as_it_wants_and_never_believed_by_half(server: Server, llmock: LLMock) -> None:
    """FL-A01, FL-A02, FL-A04"""
    llmock.rate_limit(retry_after=2).fail(529).call_tool(WAIT["name"], WAIT["input"])
    repo = server.lab.repository(server)
    issue = repo.issue()
    repo.comment(issue)
    until(lambda: server.has_made("began"), what="the first turn")

    llmock.truncate(after_chunks=4).disconnect(after_chunks=4)
    llmock.call_tool(EFFECT["name"], EFFECT["input"], times=3)  # of which two are lost
    llmock.call_tool(FIX["name"], FIX["input"]).reply("Greet with a comma")
    for box in server.sandboxes():
        for home in ("home", "home/user"):
            if (repository := box / home / "repo").exists():
                (repository / "go").touch()

    repo.finished(issue)
    llmock.assert_resilient(strict=True)
    assert [len(call.attempts) for call in llmock.verdict().calls] == [3, 3, 1, 1]
    (pull,) = repo.pulls()
    assert repo.file("effects", pull["head"]) == "made\n"
