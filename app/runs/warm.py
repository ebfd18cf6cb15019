"""Warm starts: the state of a sandbox after the set-up of a default branch, kept for the next runs of the repository.

A kept state has seen the repository's own set-up and nothing of a model's, and no token but the one that was revoked before. Which
set-up it holds stands in a file of its own: it goes where the state goes.
"""

import hashlib
import logging
import re
import time
from collections.abc import Sequence

from app.core.errors import Transient, UserError
from app.core.task import Request
from app.runs import warm_states
from app.runs.checking import Checking
from app.runs.engine import Engine
from app.runs.ground import Ground
from app.sandbox import repo
from app.sandbox.base import Call, Sandbox, Sandboxes, WarmGone

log = logging.getLogger(__name__)
FRESH = 7 * 24 * 3600.0
"""Seconds for which a state is used."""
LOCKS = frozenset({
    "Cargo.lock", "Cargo.toml", "Gemfile.lock", "Makefile", "Pipfile.lock", "bun.lock", "composer.lock", "constraints.txt", "go.mod",
    "go.sum", "mix.lock", "package-lock.json", "package.json", "pdm.lock", "pnpm-lock.yaml", "poetry.lock", "pubspec.lock",
    "pyproject.toml", "setup.cfg", "setup.py", "uv.lock", "yarn.lock",
})  # fmt: skip
"""Names of files that say what set-up installs, in any folder, beside `requirements*.txt`."""
NOTE = """printf '%s %s\\n' "$2" "$3" >"$1" """
SECONDS = 20.0


class Warm:
    """`template`: what new sandboxes begin with otherwise; None where a state can't be kept."""

    def __init__(self, *, engine: Engine, sandboxes: Sandboxes, checking: Checking, template: str | None) -> None:
        self._engine = engine
        self._sandboxes = sandboxes
        self._checking = checking
        self._template = template

    async def create(self, run: str, request: Request) -> Sandbox:
        """The sandbox of this run, begun with the repository's kept state where there is one."""
        repository = request.repository.id
        found = await self._engine.db(warm_states.kept(repository)) if self._used_for(request) else None
        if found and found.template == self._template and found.at > time.time() - FRESH:
            try:
                return await self._sandboxes.create(run, found.state)
            except WarmGone:
                await self._engine.db(warm_states.drop(repository))
        return await self._sandboxes.create(run)

    async def set_up(
        self, sandbox: Sandbox, ground: Ground, command: str | None, tracked: Sequence[str], *, keep: bool
    ) -> tuple[str, str | None]:
        """As `Checking.set_up`, which is spared where the sandbox began with the same set-up. `keep`: its state may be kept.

        One that began with another set-up is not kept, for it holds what is left of that; the next sandbox begins with nothing.
        """
        if not command or not self._used_for(ground.request):
            return await self._checking.set_up(sandbox, ground.request, command)
        recipe = await _recipe(sandbox, ground.base, command, tracked)
        made_by, at = await _noted(sandbox)
        if made_by == recipe:
            return f"Set-up kept from {at[:7]}.", None
        said, problem = await self._checking.set_up(sandbox, ground.request, command)
        if made_by:
            await self.outdate([ground.request.repository.id])
        elif keep and not problem and ground.start == ground.branch:
            await self._keep(sandbox, ground, recipe)
        return said, problem

    async def _keep(self, sandbox: Sandbox, ground: Ground, recipe: str) -> None:
        """A run goes on without, whatever the trouble. Raises SandboxGone."""
        repository = ground.request.repository.id
        note = ("sh", "-c", NOTE, "sh", _note(sandbox), recipe, ground.base)
        try:
            await sandbox.run(Call("warm/note", note, SECONDS, cwd=sandbox.home))
            state = await sandbox.keep(f"r{repository}")
        except (Transient, UserError) as e:
            log.warning("the state after set-up was not kept: %s", e, extra={"task": ground.request.key})
            return
        if state and self._template:
            await self._engine.db(warm_states.keep(repository, self._template, state))

    async def outdate(self, repositories: Sequence[int]) -> None:
        """Their states are not used any more, and are deleted by the next `forget_unused`."""
        await self._engine.db(warm_states.outdate(repositories))

    async def forget_unused(self) -> None:
        """Delete what is not used any more. What can't be deleted now holds nothing else up, and is left to the next time."""
        for state in await self._engine.db(warm_states.unused(time.time() - FRESH)):
            try:
                await self._sandboxes.forget(state)
                await self._engine.db(warm_states.deleted(state))
            except Transient as e:
                log.warning("a kept state is deleted later: %s", e)
            except Exception:
                log.exception("a kept state was not deleted")

    def _used_for(self, request: Request) -> bool:
        return self._template is not None and request.installation is not None


async def _recipe(sandbox: Sandbox, base: str, command: str, tracked: Sequence[str]) -> str:
    """What set-up comes from: the command, and the files that say what it installs."""
    paths = [path for path in tracked if _says_what_to_install(path.rpartition("/")[2])]
    files = await repo.objects(sandbox, base, paths)
    return hashlib.sha256(command.encode() + b"\0" + files).hexdigest()


def _says_what_to_install(name: str) -> bool:
    return name in LOCKS or (name.startswith("requirements") and name.endswith(".txt"))


async def _noted(sandbox: Sandbox) -> tuple[str, str]:
    """Recipe and commit of the set-up that the sandbox began with; both "" where there was none."""
    found = await sandbox.run(Call("warm/noted", ("cat", _note(sandbox)), SECONDS, cwd=sandbox.home))
    note = re.fullmatch(rb"([0-9a-f]{64}) ([0-9a-f]{40,64})\n", found.stdout.head)
    return (note[1].decode(), note[2].decode()) if note else ("", "")


def _note(sandbox: Sandbox) -> str:
    return f"{sandbox.home}/.backspace-setup"
