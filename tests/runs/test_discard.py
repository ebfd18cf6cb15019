"""Which head branch goes where nothing on it is left to review."""

from typing import Any

import pytest

from app.core.redact import Redactor
from app.core.task import Actor, Approval, Repository, ThreadRequest
from app.github.errors import Conflict
from app.runs.ground import Ground
from app.runs.publishing import Publishing

ALICE = Actor(id=1, login="alice")
REQUEST = ThreadRequest(
    key="c-1-1", delivery="d", installation=7, repository=Repository(id=1, full_name="o/r"), thread=1, actor=ALICE,
    instruction="Do it.", comment_id=1, asked_at="2026-11-20T10:05:00Z",
)  # fmt: skip


class Place:
    def __init__(self) -> None:
        self.discarded: list[tuple[str, str]] = []

    async def discard(self, ground: Ground, head: str, sha: str) -> None:
        self.discarded.append((head, sha))
        raise Conflict("A rule forbids it.")


@pytest.mark.parametrize(
    ("more", "goes"),
    [
        ({}, True),
        ({"branch": "mine"}, False),
        ({"approved": Approval(content="0" * 32, comment_id=2, actor=ALICE, branch="b")}, False),
        ({"approved": Approval(content="0" * 32, comment_id=2, actor=ALICE, branch="")}, True),
    ],
)
async def test_only_a_branch_that_was_made_for_the_task_goes(more: dict[str, Any], goes: bool) -> None:
    """FL-G15: and where GitHub does not let us, it stays."""
    place: Any = Place()
    nothing: Any = None
    publishing = Publishing(
        engine=nothing, place_of=lambda _: place, sandboxes=nothing, comments=None, redactor=Redactor(())
    )
    ground = Ground(
        run="c-1-1.1", request=REQUEST.model_copy(update=more), branch="main", start="main", sandbox="s", base="c" * 40
    )
    assert await publishing.discard(ground, {"branch": "b", "commit": "a" * 40}) == {"events": []}
    assert place.discarded == ([("b", "a" * 40)] if goes else [])
