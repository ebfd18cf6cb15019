"""What is kept of a run's work is read back, whatever its branches are called."""

from pathlib import Path

import pytest

from app.core.redact import Redactor
from app.runs import artifacts
from app.runs.checkpoints import NAME, Checkpoints, Kept
from app.runs.engine import Engine
from app.sandbox.checkpoint import Checkpoint
from tests.runs.test_pipeline import REQUEST

RUN = f"{REQUEST.key}.1"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Its database alone: nothing runs."""
    engine = Engine(f"sqlite:///{tmp_path}/backspace.db", Redactor(()), max_runs=1)
    engine._database.open()
    return engine


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
