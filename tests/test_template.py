"""`backspace template build`, against the stand-in for E2B."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2b import AsyncTemplate

from app.template import definition
from tests.command import backspace
from tests.e2b_cloud.lab import E2B, e2b_cloud
from tests.sandbox.conftest import in_e2b


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[E2B]:
    with e2b_cloud(tmp_path_factory.mktemp("e2b")) as cloud:
        yield cloud


def only_e2b(cloud: E2B) -> dict[str, str]:
    return {"E2B_API_KEY": cloud.key, "E2B_API_URL": cloud.url}


async def test_it_is_made_with_the_settings_of_e2b_alone(cloud: E2B, tmp_path: Path) -> None:
    done = backspace("template", "build", "--name", "hands", cwd=tmp_path, settings=only_e2b(cloud))
    assert done.returncode == 0, done.stderr
    assert "apt-get install" in done.stdout
    assert done.stdout.splitlines()[-1] == "BACKSPACE_E2B_TEMPLATE=hands"
    (made,) = [t for t in cloud.ask("GET", "templates") if t["name"] == "hands"]
    assert (made["asked"]["cpuCount"], made["asked"]["memoryMB"]) == (2, 2048)
    (steps,) = made["builds"].values()
    assert steps["fromImage"].startswith("node:")
    await in_e2b(cloud, template="hands").check()


def test_what_it_promises_is_in_its_definition() -> None:
    steps = [(step["type"], " ".join(step["args"])) for step in json.loads(definition_json())["steps"]]
    said = "\n".join(f"{kind} {args}" for kind, args in steps)
    for promised in (" git ", " ripgrep", " uv", " build-essential ", " python3-venv ", "/etc/profile ", "useradd"):
        assert promised in said
    assert ("USER", "user") in steps


def definition_json() -> str:
    return AsyncTemplate.to_json(definition())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"E2B_API_KEY": ""}, "E2B_API_KEY: is missing."),
        ({"E2B_API_KEY": "e2b_canary"}, "E2B_API_KEY: E2B does not accept this key."),
        ({"E2B_API_URL": "http://127.0.0.1:9"}, "The connection to E2B was lost. Run the command again"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(cloud: E2B, tmp_path: Path, given: dict[str, str], said: str) -> None:
    done = backspace("template", "build", cwd=tmp_path, settings=only_e2b(cloud) | given)
    assert done.returncode == 2
    assert said in done.stderr
    assert "finished" not in done.stdout
    assert "Traceback" not in done.stderr


def test_a_build_that_fails_says_why(cloud: E2B, tmp_path: Path) -> None:
    failed = {"templateID": "t", "buildID": "b", "status": "error", "logs": [], "logEntries": []}
    reason = {"message": "apt-get update: exit status 100", "step": "1"}
    cloud.fault("/builds/.*/status$", status=200, body=failed | {"reason": reason})
    done = backspace("template", "build", cwd=tmp_path, settings=only_e2b(cloud))
    assert (done.returncode, done.stderr) == (2, "E2B could not build the template: apt-get update: exit status 100\n")
