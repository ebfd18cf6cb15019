"""An upgrade: what earlier versions have recorded is gone on with by the workflows of this one, from behind each step."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.command import PASSED_ON, ROOT
from tests.keys import pem
from tests.replay.logs import Log, write, written
from tests.replay.process import CHANGE, CHANGED

Json = dict[str, Any]
LOGS = written()
SETTINGS = {
    "ANTHROPIC_API_KEY": "sk-ant-none",
    "BACKSPACE_SANDBOX": "unsafe-local",
    "GITHUB_APP_ID": "1",
    "GITHUB_WEBHOOK_SECRET": "none-that-is-used",
}


def renamed(log: Log, step: str) -> Log:
    """As a version would have recorded it in which this step has another name."""
    return replace(log, steps=[{**one, "name": "other"} if one["name"] == step else one for one in log.steps])


READY = LOGS["0.1.0/ready/run"]
STRANGE = renamed(READY, "verify")
EARLIER = replace(READY, workflow=CHANGED)
LATER = replace(
    EARLIER,
    steps=[{"name": f"DBOS.patch-{CHANGE}", "output": None}, {"name": "one more", "output": {}}, *READY.steps],
)
MADE = [STRANGE, EARLIER, LATER]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """Of each log, and of those that are made here."""
    home: Path = tmp_path_factory.mktemp("replay")
    write(home / "logs.json", [*LOGS.values(), *MADE])
    done = subprocess.run(
        [sys.executable, "-m", "tests.replay.process", "logs.json"],
        cwd=home,
        env={**PASSED_ON, **SETTINGS, "GITHUB_PRIVATE_KEY": pem(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout))


def cuts(replayed: Json, at: int) -> list[tuple[Any, list[str]]]:
    """Of one log, for each place at which it was cut, the whole last: what was asked for next, and what is recorded next."""
    log = [*LOGS.values(), *MADE][at]
    behind = [*log.names, ""]
    found = [(replayed["outcomes"].get(f"{log.id}!{at}!{cut}"), behind[cut:]) for cut in range(len(behind))]
    assert found[-1][0] is not None
    return [(asked, recorded) for asked, recorded in found if asked is not None]


@pytest.mark.parametrize("name", LOGS)
def test_a_log_is_gone_on_with_from_behind_each_of_its_steps(replayed: Json, name: str) -> None:
    """Where this fails, a step was renamed, added, taken out or moved: let the change ask `workflow.patched`."""
    for asked, recorded in cuts(replayed, list(LOGS).index(name)):
        assert asked
        assert asked == recorded[: len(asked)]


def test_a_step_of_another_name_is_noticed(replayed: Json) -> None:
    """What the test above rests on."""
    (asked, recorded), *refused = cuts(replayed, len(LOGS))
    assert (asked, recorded[0]) == (["verify"], "other")
    assert refused
    assert all("function other was recorded when verify was expected" in error for error, _ in refused)


def test_every_kind_of_workflow_has_a_log_of_this_version(replayed: Json) -> None:
    """A new version, or a new kind, is recorded by `python -m tests.replay.record`; what was recorded earlier stays."""
    ours = {log.workflow for name, log in LOGS.items() if name.startswith(f"{version('backspace-agent')}/")}
    assert ours == set(replayed["kinds"])


def test_a_changed_workflow_goes_on_with_what_was_recorded_before_the_change(replayed: Json) -> None:
    (new, _), *begun_before = cuts(replayed, len(LOGS) + 1)
    assert new == [f"DBOS.patch-{CHANGE}", "one more"]
    for asked, recorded in [*begun_before, *cuts(replayed, len(LOGS) + 2)]:
        assert asked == recorded[: len(asked)]
