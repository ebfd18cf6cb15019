"""What of a repository says how to work in it: instruction files, and commands. Of the default branch alone, for whoever may push to
another one has not been let in there; never of the branch that work goes on from, nor of the work tree.
"""

from collections.abc import Collection
from dataclasses import dataclass

from app.runs import checks
from app.runs.checks import Checks
from app.runs.ground import Ground
from app.sandbox import repo
from app.sandbox.base import Sandbox

FILES = 200_000
"""Tracked paths that are looked at."""
INSTRUCTION_FILES = ("AGENTS.md", "CLAUDE.md")
FILE_BYTES = 100_000


@dataclass(frozen=True)
class Rules:
    """The repository at the commit whose word holds."""

    _sandbox: Sandbox
    _commit: str
    _tracked: frozenset[str]

    async def instructions(self) -> dict[str, str]:
        """Text by path."""
        return {path: text for path, text in (await self._texts(INSTRUCTION_FILES)).items() if text}

    async def checks(self) -> Checks:
        """Raises UserError where the file that says so can't be understood."""
        if checks.CONFIG in self._tracked:
            return checks.from_config((await self._texts((checks.CONFIG,))).get(checks.CONFIG, ""))
        return checks.usual(await self._texts(checks.MANIFESTS), self._tracked)

    async def _texts(self, paths: Collection[str]) -> dict[str, str]:
        found = {path: await self._text(path) for path in paths if path in self._tracked}
        return {path: text for path, text in found.items() if text is not None}

    async def _text(self, path: str) -> str | None:
        return await repo.show(self._sandbox, self._commit, path, FILE_BYTES)


async def rules_of(sandbox: Sandbox, ground: Ground, tracked: Collection[str]) -> Rules:
    """`tracked`: the paths of the base, which is that commit for work that starts from the default branch."""
    if ground.rules:
        tracked = await repo.tracked(sandbox, ground.rules, FILES)
    return Rules(sandbox, ground.rules or ground.base, frozenset(tracked))
