from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runs.postgres import postgres

__all__ = ["postgres"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.many)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database. What speaks SQL is tested on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/backspace.db"
    make: Callable[[], str] = request.getfixturevalue("postgres")
    return make()
