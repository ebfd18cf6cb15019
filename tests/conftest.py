from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.e2e.lab import Lab, Repo, Server, hands, simulator

hypothesis.settings.register_profile("ours", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("ours")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The world of the session. A request or a reply outside GitHub's description fails it."""
    home: Path = tmp_path_factory.mktemp("lab")
    with simulator(home) as url, hands(home) as e2b:
        yield (lab := Lab(url, home, e2b))
        violations = lab.call("GET", "/_sim/violations")
        lab.http.close()
    assert violations == []


@pytest.fixture(scope="session")
def server(lab: Lab) -> Iterator[Server]:
    """One server for all tests that need no other."""
    yield (server := lab.server())
    server.stop()


@pytest.fixture
def repo(lab: Lab, server: Server) -> Repo:
    return lab.repository(server)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a test found in figures: its `table`."""
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, table in report.user_properties:
            if name == "table":
                terminalreporter.write_line(f"\n{table}")
