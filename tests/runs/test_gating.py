"""The gate as a step, against real git: what it offers for an approval, and what it lets in by one."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from app.core.redact import Redactor
from app.core.task import Actor, Approval, Repository, ThreadRequest
from app.publish.changes import content_of
from app.runs import asked
from app.runs.asked import Asked, Kept
from app.runs.database import Database
from app.runs.gating import Gating
from app.runs.ground import Ground
from app.runs.holding import BYTES, FILES, are_few
from app.sandbox import cloning, repo
from app.sandbox.base import Call, Sandbox
from app.sandbox.local import LocalSandboxes
from app.sandbox.repo import Change
from tests.runs.test_approvals import Recorded
from tests.sandbox.git_server import git, serve

REQUEST = ThreadRequest(
    key="c-7-1", delivery="d", installation=3, repository=Repository(id=7, full_name="o/r"), thread=12,
    actor=Actor(id=1, login="alice"), instruction="Do it.", comment_id=1, asked_at="2026-11-20T10:05:00Z",
)  # fmt: skip


@dataclass
class Work:
    """A clone in a sandbox, over an engine that only keeps."""

    engine: Any
    sandboxes: LocalSandboxes
    sandbox: Sandbox
    base: str

    async def gate(self, approved: str = "") -> dict[str, Any]:
        actor = Actor(id=2, login="bob")
        approval = Approval(content=approved, actor=actor, comment_id=50, branch="b") if approved else None
        request = REQUEST.model_copy(update={"approved": approval})
        ground = Ground(
            run="c-7-1.1", request=request, branch="main", start="main", sandbox=self.sandbox.id, base=self.base
        )
        gating = Gating(engine=self.engine, sandboxes=self.sandboxes, redactor=Redactor(()))
        return await gating.gate(ground, len(approved))

    async def bash(self, command: str) -> None:
        done = await self.sandbox.run(Call("bash", ("bash", "-ec", command), 20))
        assert done.exit_code == 0, done


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    work = tmp_path / "served/o/r"
    work.mkdir(parents=True)
    (work / "a.py").write_text("a = 1\n")
    git(work, "init", "-q")
    git(work, "add", ".")
    git(work, "commit", "-qm", "First")
    with serve(tmp_path / "served", "t") as address:
        yield f"{address}/o/r"


@pytest.fixture
async def work(tmp_path: Path, origin: str) -> AsyncIterator[Work]:
    database = Database(f"sqlite:///{tmp_path}/backspace.db")
    database.open()
    sandboxes = LocalSandboxes(tmp_path / "sandboxes", isolation="none")
    sandbox = await sandboxes.create("run")
    base = await cloning.clone(sandbox, url=origin, token="t", branch="main", seconds=30)
    yield Work(Recorded(database), sandboxes, sandbox, base)
    await sandbox.kill()
    database.engine.dispose()


async def test_what_is_offered_stands_alone(work: Work) -> None:
    """RT-G06: the diff of what nobody can let in is what git in the sandbox says, and may look like a part of the other."""
    await work.bash("echo 'Greet.' >AGENTS.md; mkdir -p .github/workflows; echo 'on: push' >.github/workflows/ci.yml")
    offered = (await work.gate())["approvable"]
    assert offered["diff"].endswith("+Greet.\n")
    assert "on: push" not in offered["diff"]
    assert {left["path"] for left in offered["paths"]} == {"AGENTS.md", ".github/workflows/ci.yml"}


def test_more_than_can_be_shown_is_not_even_read() -> None:
    """RT-G06: more than a sandbox hands out at once would be an error, and what passed lost with it."""
    large = Change("x.sh", "A", "000000", "100755", "0" * 40, "1" * 40, BYTES // 20 * 19, False)
    assert are_few([large])
    assert not are_few([large] * 45)
    assert not are_few([replace(large, size=1)] * (FILES + 1))


async def test_nothing_passes_with_an_approval_but_what_it_is_of(work: Work) -> None:
    """RT-G06: what this gate does not ask about, as the one before did, is not pinned by the hash of what it asks about."""
    await work.bash("echo 'Greet.' >AGENTS.md; echo 'a = 2' >a.py")
    found = await repo.changes(work.sandbox, work.base, "test")
    approved = content_of(found)
    content = Asked(changes=found, paths=("AGENTS.md", "a.py"), rest=(), rest_diff="")
    await asked.keep(work.engine, REQUEST.key, approved, Kept(asked=content, pack=b""))
    assert (await work.gate(approved))["changes"] == []
    assert await asked.kept(work.engine, REQUEST.key, approved), "it can be said again"
