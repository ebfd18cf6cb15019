"""docs/security.md says what the code says."""

import re
from collections.abc import Mapping
from pathlib import Path

from app.github import thread, tokens
from app.publish.changes import Limits
from app.sandbox import bubblewrap, keeper
from app.settings import Settings

PAGE = (Path(__file__).parent.parent / "docs/security.md").read_text()


def test_the_table_of_tokens_is_what_is_asked_for() -> None:
    """RT-S06, RT-L05: that no others are minted in a whole run is shown in e2e/test_happy.py."""
    table = PAGE.partition("<!-- tokens:")[2].partition("<!-- end -->")[0]
    rows = re.findall(r"^\| `([A-Z]+)` \| (.+?) \|", table, re.MULTILINE)
    said = {name: dict(re.findall(r"`(\w+): (\w+)`", permissions)) for name, permissions in rows}
    assert said == {
        name: dict(value) for name, value in vars(tokens).items() if name.isupper() and isinstance(value, Mapping)
    }


def test_the_limits_are_those_that_hold() -> None:
    gate, process = Limits(), dict(keeper.LIMITS)
    assert f"more than {gate.file_bytes // 1_000_000} MB" in PAGE
    assert f"{gate.files} files and {gate.total_bytes // 1_000_000} MB at most" in PAGE
    assert f"`/dev/shm` {bubblewrap.SHARED_MEMORY >> 20} MB" in PAGE
    assert {8 << 30, 2 << 30, 4096} <= set(process.values())
    assert "8 GB of data, a file 2 GB" in PAGE
    told = f"the newest {thread.COMMENTS}, of at most {thread.AUTHORS} authors besides the asker, {thread.CHARACTERS:,} characters"
    assert told in PAGE
    assert "4,096 processes" in PAGE


def test_how_to_rotate_is_said_of_every_secret() -> None:
    secrets = {name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    spoken_of = {
        "GITHUB_PRIVATE_KEY": "| private key |",
        "BACKSPACE_API_KEYS": "| an API key |",
        "BACKSPACE_DATABASE_URL": "| database password |",
    }
    assert [name for name in sorted(secrets) if spoken_of.get(name, name) not in PAGE.partition("## Rotating")[2]] == []
