"""What `backspace serve` says once it takes work."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot
from pydantic import SecretStr

from app.serving import greeting, place
from app.settings import RunAlone
from tests.command import ROOT

APP = {"github_app_id": 7, "github_private_key_path": Path("key.pem")}


def said(**given: Any) -> str:
    settings = RunAlone.model_construct(anthropic_api_key=SecretStr("canary"), **given)
    words = greeting(settings, "http://127.0.0.1:8000")
    assert "canary" not in words
    return words


def test_of_an_app_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert said(**APP) == snapshot("""\
Backspace listens on http://127.0.0.1:8000
  takes     comments and the label backspace from GitHub, at /webhook; POST /code of programs on this machine
  commands  run in bubblewrap, without a network
  database  /backspace.db
  doctor    `backspace doctor` tries each address and key\
""")


def test_of_a_server_for_others() -> None:
    given = {
        "backspace_api_keys": SecretStr("ann:canary-of-sixteen-1 bob:canary-of-sixteen-2"),
        "backspace_database_url": "postgresql://ann:canary@db.example/work",
        "e2b_api_key": SecretStr("e2b_canary"),
        "host": "0.0.0.0",
    }
    assert said(**given) == snapshot("""\
Backspace listens on http://127.0.0.1:8000
  takes     POST /code with one of 2 keys
  commands  run in E2B, in virtual machines made from base; they reach registries of packages
  database  work of PostgreSQL on db.example
  doctor    `backspace doctor` tries each address and key\
""")


def test_the_readme_shows_it() -> None:
    readme = (ROOT / "README.md").read_text()
    given = {**APP, "backspace_database_url": "sqlite:////srv/backspace/backspace.db"}
    assert textwrap.indent(said(**given), "   ") in readme


def test_a_server_that_takes_nothing_says_so() -> None:
    assert "takes     nothing: neither an App nor BACKSPACE_API_KEYS is set" in said(host="0.0.0.0")


def test_of_a_model_without_a_known_price() -> None:
    note = "price     The price of `claude-unheard-of-9` is not known here, so the dearest known one is counted."
    assert note in said(backspace_model="claude-unheard-of-9")


def test_an_address_of_ipv6_has_brackets() -> None:
    assert [place(host, 8000) for host in ("127.0.0.1", "::1", "localhost")] == [
        "127.0.0.1:8000",
        "[::1]:8000",
        "localhost:8000",
    ]
