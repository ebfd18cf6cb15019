"""A second client's word that the stand-in speaks E2B's protocol: the official JavaScript SDK."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2b_cloud.lab import e2b_cloud

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", "check.mjs")


@pytest.mark.node
def test_the_javascript_sdk_finds_its_way_about(tmp_path: Path) -> None:
    for name in FILES:
        shutil.copy(HERE / name, tmp_path)
    npm, node = shutil.which("npm"), shutil.which("node")
    assert npm, "needs Node and npm"
    assert node, "needs Node and npm"
    installed = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert installed.returncode == 0, installed.stderr
    with e2b_cloud(tmp_path / "e2b") as e2b:
        env = os.environ | {"E2B_URL": e2b.url, "E2B_KEY": e2b.key}
        checked = subprocess.run(
            [node, "check.mjs"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60
        )
    assert checked.stdout == "everything was as expected\n", checked.stderr


def test_the_lock_says_what_is_installed_and_not_from_where() -> None:
    locked = json.loads((HERE / "package-lock.json").read_text())["packages"]
    assert locked["node_modules/e2b"]["integrity"]
    assert not [name for name, package in locked.items() if "resolved" in package]
