"""Templates: what was built (recorded, not carried out) and snapshots (a copy of a sandbox's disk)."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.e2b_cloud import machine
from tests.e2b_cloud.problems import Problem

TEAM = "team"


@dataclass(eq=False)
class Template:
    id: str
    name: str | None = None
    tags: list[str] = field(default_factory=list)
    disk: Path | None = None
    """What sandboxes made from it begin with."""
    snapshot_of: str | None = None
    asked: dict[str, Any] = field(default_factory=dict)
    builds: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By id: what was to be built; empty before the build was started."""

    @property
    def snapshot_id(self) -> str:
        return f"{TEAM}/{self.name}:default" if self.name else f"{self.id}:default"


class Templates:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known = {"base": Template("base", "base")}

    def find(self, reference: str) -> Template:
        """By id or name, with or without team and tag. Raises Problem."""
        if found := self.get(reference):
            return found
        raise Problem(404, f"template '{reference}' not found")

    def get(self, reference: str) -> Template | None:
        wanted = reference.removeprefix(f"{TEAM}/").partition(":")[0]
        return next((t for t in self.known.values() if wanted in (t.id, t.name)), None)

    async def snapshot(self, disk: Path, sandbox_id: str, name: str | None) -> str:
        template = self.get(name) if name else None
        if template is None:
            template = self._add(name)
        kept, template.disk = template.disk, self.folder / secrets.token_hex(8)
        self.folder.mkdir(parents=True, exist_ok=True)
        await machine.copy(disk, template.disk)
        if kept:
            await machine.remove(kept)
        template.snapshot_of = sandbox_id
        return template.snapshot_id

    def snapshots(self, sandbox_id: str | None, name: str | None) -> list[Template]:
        found = [t for t in self.known.values() if t.snapshot_of and sandbox_id in (None, t.snapshot_of)]
        return [t for t in found if name is None or t is self.get(name)]

    async def delete(self, reference: str) -> None:
        template = self.find(reference)
        del self.known[template.id]
        if template.disk:
            await machine.remove(template.disk)

    def request_build(self, asked: dict[str, Any]) -> tuple[Template, str]:
        name, _, tag = str(asked["name"]).partition(":")
        template = self.get(name) or self._add(name)
        template.asked = asked
        template.tags = sorted({*template.tags, *(asked.get("tags") or []), tag or "default"})
        build_id = secrets.token_hex(8)
        template.builds[build_id] = {}
        return template, build_id

    def start_build(self, template_id: str, build_id: str, steps: dict[str, Any]) -> None:
        self._build_of(template_id, build_id).update(steps)

    def status(self, template_id: str, build_id: str, offset: int) -> dict[str, Any]:
        build = self._build_of(template_id, build_id)
        now = datetime.now(UTC).isoformat()
        said = [f"{step['type']} {' '.join(step.get('args') or [])}" for step in build.get("steps", [])]
        entries = [{"timestamp": now, "message": message, "level": "info"} for message in said]
        return {
            "templateID": template_id,
            "buildID": build_id,
            "status": "ready" if build else "waiting",
            "logs": [],
            "logEntries": entries[offset : offset + 100],
        }

    def _build_of(self, template_id: str, build_id: str) -> dict[str, Any]:
        template = self.find(template_id)
        if build_id not in template.builds:
            raise Problem(404, f"Build '{build_id}' not found")
        return template.builds[build_id]

    def _add(self, name: str | None) -> Template:
        template = Template(secrets.token_hex(10), name)
        self.known[template.id] = template
        return template
