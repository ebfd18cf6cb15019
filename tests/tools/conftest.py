"""A sandbox with a small repository in it, and the tools on it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.sandbox.base import Call
from app.sandbox.local import LocalSandbox, LocalSandboxes
from app.tools.base import ToolResult, run_calls

FILES = {
    "shop/cart.py": b"def total(items):\n    return sum(items)\n\n\ndef count(items):\n    return len(items)\n",
    "shop/tax.py": b"RATE = 0.2\n\n\ndef tax(x):\n    return x * RATE\n",
    "README.md": "# Shop – größer\n".encode(),
    "dos.txt": b"one\r\ntwo\r\nthree\r\n",
    "latin.txt": b"caf\xe9\nbar\n",
    "logo.png": b"\x89PNG\0\0\0",
    "empty": b"",
    ".gitignore": b"build/\n",
    "build/out.py": b"RATE = 1\n",
}


class Bench:
    """Calls tools one after the other, each under a key of its own."""

    def __init__(self, sandbox: LocalSandbox, repo: Path) -> None:
        self.sandbox = sandbox
        self.repo = repo
        self.calls = 0

    async def use(self, name: str, **given: Any) -> ToolResult:
        self.calls += 1
        call = {"id": f"toolu_{self.calls}", "name": name, "input": given}
        return (await run_calls(self.sandbox, f"work/{self.calls}", [call]))[0]

    async def fails(self, name: str, **given: Any) -> str:
        result = await self.use(name, **given)
        assert result.is_error, result
        assert [event.type for event in result.events] == ["Status"]
        return result.content


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    sandbox = await LocalSandboxes(tmp_path / "sandboxes").create("run")
    repo = tmp_path / "sandboxes" / sandbox.id / "home/repo"
    for name, data in FILES.items():
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_bytes(data)
    await sandbox.run(Call("init", ("sh", "-c", "git init -q && git add ."), 10))
    yield Bench(sandbox, repo)
    await sandbox.kill()
