"""What is kept of a run's work is read back, whatever its branches are called, and whether that is all of it is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from app.core.redact import Redactor
from app.runs import artifacts
from app.runs.checkpoints import NAME, Checkpoints, Kept
from app.runs.engine import Engine
from app.runs.ground import Ground
from app.sandbox.base import Call, Result, Stream
from app.sandbox.checkpoint import LIMIT, Checkpoint
from tests.runs.test_pipeline import REQUEST

RUN = f"{REQUEST.key}.1"


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    """Its database alone: nothing runs."""
    engine = Engine(address, Redactor(()), max_runs=1)
    engine._database.open()
    yield engine
    engine._database.engine.dispose()


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (f"{RUN} 3 t b main fix", Kept(3, Checkpoint("t", b"PACK\n\0"), "b", "main", "fix")),
        (f"{RUN} 3 t b fix\u00a0it\u3000all\x85 main", Kept(3, Checkpoint("t", b"PACK\n\0"), "b", "fix\u00a0it\u3000all\x85", "main")),
        (f"{RUN} 3 t b main fix r", Kept(3, Checkpoint("t", b"PACK\n\0"), "b", "main", "fix", "r")),
        (f"{RUN} 3 t", Kept(3, Checkpoint("t", b"PACK\n\0"))),
        (f"{REQUEST.key}.2 3 t b main fix", None),
        (f"{RUN} three t b main fix", None),
        (f"{RUN} 3 t b main fix and more", None),
        (RUN, None),
        ("", None),
    ],
)  # fmt: skip
async def test_a_checkpoint_is_read_as_it_was_kept_or_is_none(engine: Engine, head: str, kept: Kept | None) -> None:
    await engine.db(artifacts.keep(REQUEST.key, NAME, f"{head}\n".encode() + b"PACK\n\0"))
    assert await Checkpoints(engine).last(RUN, REQUEST) == kept


CLONED, CHANGED = "1" * 40, "2" * 40
GROUND = Ground(run=RUN, request=REQUEST, branch="main", start="main", sandbox="s", base="b" * 40)


@dataclass
class Files:
    """A sandbox, by the tree of its files; their pack has so many bytes."""

    tree: str
    size: int = 10
    home = repo = "/"

    async def run(self, call: Call) -> Result:
        known = call.argv[-1] or CLONED
        said = f"{self.tree}\n".encode() + (b"" if self.tree == known else bytes(self.size))
        nothing = Stream(b"", b"", 0, "")
        return Result("exited", 0, Stream(said[: call.keep], b"", len(said), ""), nothing, 0.1)


@pytest.mark.parametrize(
    ("turns", "behind"),
    [
        ([Files(CHANGED), Files("3" * 40, LIMIT)], True),
        ([Files(CHANGED), Files("3" * 40, LIMIT), Files("4" * 40)], False),
        ([Files(CHANGED), Files("3" * 40, LIMIT), Files(CHANGED)], False),
        ([Files("3" * 40, LIMIT), Files(CLONED)], False),
    ],
    ids=["added", "replaced", "taken back", "taken back to the clone"],
)
async def test_work_is_in_no_checkpoint_as_long_as_it_is_too_large_for_one(
    engine: Engine, turns: list[Files], behind: bool
) -> None:
    """What was too large and has gone again is missed by nobody."""
    checkpoints = Checkpoints(engine)
    for number, files in enumerate(turns, 1):
        await checkpoints.keep(cast(Any, files), GROUND, number)
    assert await checkpoints.is_behind(REQUEST) == behind


async def test_files_that_a_turn_left_as_they_were_are_not_kept_again(engine: Engine) -> None:
    """However large the pack is: what is read of it is its beginning."""
    checkpoints, files = Checkpoints(engine), cast(Any, Files(CHANGED, 100_000))
    for number in (1, 2):
        await checkpoints.keep(files, GROUND, number)
    assert await checkpoints.last(RUN, REQUEST) == Kept(
        1, Checkpoint(CHANGED, bytes(100_000)), GROUND.base, "main", "main"
    )
    assert await engine.db(artifacts.kept(REQUEST.key, NAME, 7)) == RUN.encode()[:7]
