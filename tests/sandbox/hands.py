"""What tests do in a sandbox."""

import asyncio
from collections.abc import Callable
from typing import Any

from app.sandbox.base import Call, Result, Sandbox


async def bash(sandbox: Sandbox, command: str, key: str = "", seconds: float = 30, **more: Any) -> Result:
    return await sandbox.run(Call(key or str(hash(command)).strip("-"), ("bash", "-c", command), seconds, **more))


async def out(sandbox: Sandbox, command: str, key: str = "") -> str:
    return (await bash(sandbox, command, key)).stdout.head.decode()


async def until(found: Callable[[], Any]) -> None:
    for _ in range(200):
        if found():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


async def until_begun(sandbox: Sandbox) -> None:
    """The command under way touches `begun`."""
    for n in range(200):
        if (await bash(sandbox, "test -e begun", f"look/{n}")).exit_code == 0:
            return
    raise AssertionError("it did not begin")


LONG = "echo x >> ran; echo first; touch begun; until [ -e go ]; do sleep 0.02; done; echo last"
