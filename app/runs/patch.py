"""What a task changed, as a patch that `git apply` takes: kept where a pull request may not come to be, binary files and modes included."""

from app.runs import artifacts
from app.runs.engine import Engine
from app.sandbox import git
from app.sandbox.base import Sandbox

NAME = "patch"
MAX = 40 << 20
"""Bytes."""
_DIFF = ("diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv")


async def keep(engine: Engine, sandbox: Sandbox, task: str, base: str, tree: str, key: str) -> bool:
    """Keep the patch from the base to another tree, in place of an earlier one. False: it is too large, and there is none."""
    result = await git.run(sandbox, *_DIFF, base, tree, key=f"patch/{key}", keep=MAX)
    if not result.stdout.whole:
        await drop(engine, task)
        return False
    await engine.keep(artifacts.keep(task, NAME, result.stdout.head))
    return True


async def drop(engine: Engine, task: str) -> None:
    """The task changes nothing any more."""
    await engine.keep(artifacts.drop(task, NAME))


async def kept(engine: Engine, task: str) -> bytes | None:
    return await engine.db(artifacts.kept(task, NAME))
