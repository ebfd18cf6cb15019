"""Which versions of git are remarked upon."""

import pytest
from inline_snapshot import snapshot

from app.sandbox.git_version import remark


@pytest.mark.parametrize("version", ["2.43.7", "2.49.1", "2.50.1", "2.51.0", "2.52", "3.0.0", "2.50.1 (Apple Git-155)"])
def test_a_version_with_the_mend_is_not_worth_a_word(version: str) -> None:
    assert remark(f"git version {version}\n") == ""


@pytest.mark.parametrize("version", ["1.9.1", "2.39.5", "2.43.6", "2.50.0", "2.50", "2.49.0.windows.1"])
def test_a_version_without_the_mend_is_told(version: str) -> None:
    """RT-R07"""
    assert "CVE-2025-48384" in remark(f"Python 3.11.7\ngit version {version}\n")


def test_it_says_what_to_do() -> None:
    assert remark("git version 2.39.5") == snapshot(
        "Its git 2.39.5 is older than 2.43.7 and 2.50.1, which mend CVE-2025-48384: update it, unless your distribution has mended its own."
    )
    assert remark("nothing that we know") == ""
