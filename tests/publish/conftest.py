"""A work tree whose changes are to be published, and what was asked for."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.core.task import Actor, Repository, ThreadRequest
from app.sandbox.repo import Change
from tests.github.world import World, simulator, world

__all__ = ["simulator", "world"]


@dataclass
class Work:
    """A clone in which a test makes changes."""

    path: Path
    base: str

    def git(self, *args: str) -> str:
        return subprocess.run(["git", *args], cwd=self.path, check=True, capture_output=True, text=True).stdout

    def changes(self) -> tuple[list[Change], dict[str, bytes], str]:
        """What differs from the base, the new contents, and the tree."""
        self.git("add", "--all")
        raw = self.git("diff", "--cached", "--raw", "--no-abbrev", "--no-renames", "-z", self.base).split("\0")[:-1]
        changes: list[Change] = []
        contents: dict[str, bytes] = {}
        for meta, path in zip(raw[::2], raw[1::2], strict=True):
            old_mode, new_mode, old, new, status = meta.removeprefix(":").split(" ")
            data = b"" if status == "D" else (self.path / path).read_bytes()
            if status != "D":
                contents[path] = data
            changes.append(Change(path, status, old_mode, new_mode, old, new, len(data), b"\0" in data))  # type: ignore[arg-type]
        return changes, contents, self.git("write-tree").strip()


@pytest.fixture
def work(world: World, tmp_path: Path) -> Work:
    subprocess.run(
        ["git", "clone", "-q", f"{world.url}/{world.repository.full_name}.git", str(tmp_path / "work")], check=True
    )
    return Work(tmp_path / "work", world.head)


@pytest.fixture
def request_(world: World) -> ThreadRequest:
    return asked(repository=world.repository, installation=world.installation)


def asked(**changed: Any) -> ThreadRequest:
    fields = {
        "key": "c-1-2",
        "delivery": "d",
        "installation": 1,
        "repository": Repository(id=1, full_name="o/r"),
        "thread": 12,
        "actor": Actor(id=583231, login="alice"),
        "instruction": "Validate all POST bodies, and say what is wrong.",
        "title": "Validate POST bodies",
        "body": "They are not validated.",
        "comment_id": 2,
        "url": "https://github.com/o/r/issues/12#issuecomment-2",
        "asked_at": "2026-11-22T12:00:00Z",
    }
    return ThreadRequest(**{**fields, **changed})
