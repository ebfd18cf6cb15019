"""`backspace demo --sandbox e2b`."""

from pathlib import Path

import pytest

from tests.command import backspace
from tests.e2b_cloud.lab import e2b_cloud


@pytest.mark.registry
@pytest.mark.timeout(600)
def test_the_demo_in_e2b(tmp_path: Path) -> None:
    """Its set-up installs from what the demo has downloaded, for the sandbox reaches no registry."""
    with e2b_cloud(tmp_path / "e2b") as cloud:
        given = {"E2B_API_KEY": cloud.key, "E2B_API_URL": cloud.url, "E2B_SANDBOX_URL": cloud.url}
        done = backspace(
            "demo", "--sandbox", "e2b", "--project", "pyflakes==3.3.1", cwd=tmp_path, settings=given, seconds=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert cloud.requests("/process.Process/Start")
        assert cloud.sandboxes() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "--sandbox e2b: E2B_API_KEY is missing."),
        ({"E2B_API_KEY": "e2b_canary"}, "which E2B's machines do not reach"),
    ],
    ids=["no key", "far away"],
)
def test_where_it_could_not_work_it_says_so_at_once(tmp_path: Path, given: dict[str, str], said: str) -> None:
    done = backspace("demo", "--sandbox", "e2b", cwd=tmp_path, settings=given)
    assert done.returncode == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []
