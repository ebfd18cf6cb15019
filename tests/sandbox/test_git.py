"""Git in a sandbox whose machine goes down."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from app.sandbox import git
from app.sandbox.base import Call, Result, Stream


@dataclass
class Failing:
    """A sandbox in which the first calls lose their ends."""

    losses: int
    keys: list[str] = field(default_factory=list)
    home: str = "/home/user"
    repo: str = "/home/user/repo"

    async def run(self, call: Call) -> Result:
        self.keys.append(call.key)
        lost = len(self.keys) <= self.losses
        nothing = Stream(b"", b"", 0, "")
        return Result("interrupted" if lost else "exited", None if lost else 0, nothing, nothing, 0.1)


async def test_a_call_whose_end_was_lost_is_asked_again_under_another_key() -> None:
    """Git may be, for it has no effect that another one would not have."""
    sandbox = Failing(losses=2)
    assert (await git.run(cast(Any, sandbox), "status", key="k")).exit_code == 0
    assert sandbox.keys == ["git/k.0", "git/k.1", "git/k.2"]


async def test_one_that_is_lost_each_time_is_given_up() -> None:
    sandbox = Failing(losses=9)
    with pytest.raises(RuntimeError, match="git status failed"):
        await git.run(cast(Any, sandbox), "status", key="k")
    assert len(sandbox.keys) == 3
