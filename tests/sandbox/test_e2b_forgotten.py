"""The machine in E2B of a run on the command line that was cut off, and that nobody took up."""

import os
import time
from pathlib import Path

import pytest

from app import run_folders
from app.core.api_keys import NOBODY
from app.core.task import Asked
from app.run_here import look_at_others
from app.runs.desk import task_key
from app.settings import RunAlone, load
from tests.e2b_cloud.lab import E2B
from tests.sandbox.conftest import in_e2b

URL, PROMPT = "https://github.com/octo-org/larder", "Add the comma"


async def test_it_is_ended_after_a_week_or_as_soon_as_it_can_be(
    cloud: E2B, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no other: servers share the team."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")
    folder = run_folders.of(URL, PROMPT, "")
    kept, _ = run_folders.keep(folder, URL, PROMPT, in_e2b=True)
    asked = Asked(repo="octo-org/larder", prompt=PROMPT, caller=NOBODY, idempotency_key=kept.once)
    there = in_e2b(cloud, deployment="no-app")
    other = await there.create("t-another.1")
    cloud.order("pause", (await there.create(f"{task_key(asked)}.1")).id)
    os.utime(folder, times=(0, time.time() - 8 * 86400))

    async def look() -> tuple[int, bool]:
        await look_at_others(folder.parent / "another", load(env_file=None, kind=RunAlone), print)
        return len(cloud.sandboxes()), folder.exists()

    assert await look() == (2, True)  # this command knows no key of E2B
    for name, value in {"KEY": cloud.key, "URL": cloud.url}.items():
        monkeypatch.setenv(f"E2B_API_{name}", value)
    monkeypatch.setenv("E2B_SANDBOX_URL", cloud.url)
    cloud.fault("sandboxes", status=500)
    assert await look() == (2, True)
    cloud.mend()
    assert await look() == (1, False)
    assert [s["id"] for s in cloud.sandboxes()] == [other.id]
