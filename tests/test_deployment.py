"""The files that an operator starts from say what the code says."""

import re
import tomllib
from pathlib import Path

import yaml

from app.runs import engine
from app.settings import Settings, load
from app.web.server import SECONDS_TO_END
from tests.keys import pem

ROOT = Path(__file__).parent.parent
NAMES = {name.upper() for name in Settings.model_fields}


OF_THE_APP = ("github_app_id", "github_webhook_secret")
"""To be filled in by everybody who has an App, so they are not commented out."""


def test_env_example_has_every_setting_with_its_meaning_and_default() -> None:
    entries = re.findall(r"^# (.+)\n(# )?([A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    said = {name: (meaning, bool(commented), value) for meaning, commented, name, value in entries}
    expected = {
        name.upper(): (
            " ".join((field.description or "").split()),
            not (field.is_required() or name in OF_THE_APP),
            _written(field.get_default()),
        )
        for name, field in Settings.model_fields.items()
    }
    assert said == expected


def test_env_example_filled_in_is_enough_to_start(tmp_path: Path) -> None:
    filled = (ROOT / ".env.example").read_text().replace("# GITHUB_PRIVATE_KEY=", "GITHUB_PRIVATE_KEY=")
    for name, value in {
        "ANTHROPIC_API_KEY": "key",
        "GITHUB_APP_ID": "1",
        "GITHUB_WEBHOOK_SECRET": "sixteen letters.",
        "GITHUB_PRIVATE_KEY": pem().replace("\n", "\\n"),
    }.items():
        filled = filled.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    env = tmp_path / ".env"
    env.write_text(filled)
    assert load(env).private_key() == pem()


def test_the_app_asks_for_no_more_than_it_needs() -> None:
    """RT-L04"""
    manifest = yaml.safe_load((ROOT / "app-manifest.yml").read_text())
    assert manifest["default_permissions"] == {
        "metadata": "read",
        "contents": "write",
        "issues": "write",
        "pull_requests": "write",
    }
    assert manifest["default_events"] == ["issue_comment", "issues"]
    assert manifest["public"] is False


def test_the_container_sets_only_settings_that_exist() -> None:
    environment = re.search(r"^ENV ((?:.*\\\n)*.*)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert environment
    container = dict(re.findall(r"(\w+)=(\S+)", environment[1]))
    assert container.keys() - {"HOME"} <= NAMES
    fly = tomllib.loads((ROOT / "fly.toml").read_text())
    assert fly["env"].keys() <= NAMES
    assert fly["http_service"]["internal_port"] == int(container["PORT"])
    assert {container["BACKSPACE_DATA"], container["BACKSPACE_DATABASE_URL"].removeprefix("sqlite:///")} == {
        "/data/sandboxes",
        "/data/backspace.db",
    }
    assert fly["mounts"][0]["destination"] == "/data"
    assert fly["kill_timeout"] >= engine.TO_END + SECONDS_TO_END + 5


def _written(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if str(default) in ("None", "PydanticUndefined") else str(default)
