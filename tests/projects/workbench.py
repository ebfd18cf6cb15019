"""Plays a script's tools on a real checkout with real commands, as the product does in its sandbox."""

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from app.simulator.projects import Project

Checks = dict[Literal["setup", "test"], str]


@dataclass
class Workbench:
    """A repository below a home, and an environment with nothing of ours and no network for pip."""

    home: Path
    wheels: Path
    outputs: list[str] = field(default_factory=list)
    """What each command of the script printed, with its exit code."""

    @property
    def repo(self) -> Path:
        return self.home / "repo"

    def checks(self) -> Checks:
        checks: Checks = yaml.safe_load((self.repo / ".github/backspace.yml").read_text())
        return checks

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
        }
        return subprocess.run(
            ["bash", "-c", command], cwd=self.repo, env=env, capture_output=True, text=True, timeout=60
        )

    def begin(self) -> None:
        """Commit what is there, as the base that the script works on."""
        git = "git -c user.name=t -c user.email=t@example.com -c init.defaultBranch=main"
        begun = self.run(f"git init -q && git add -A && {git} commit -qm Base")
        assert begun.returncode == 0, begun.stderr

    def changed(self) -> list[str]:
        return self.run("git add -A && git diff --cached --name-only").stdout.split()

    def play(self, project: Project) -> None:
        for turn in project.turns:
            for tool in turn.get("tools", ()):
                self._use(tool["name"], tool["input"])

    def _use(self, name: str, given: dict[str, Any]) -> None:
        match name:
            case "read":
                text = (self.repo / given["path"]).read_text()
                assert given.get("offset", 1) <= len(text.splitlines())
            case "edit":
                path = self.repo / given["path"]
                text = path.read_text()
                assert text.count(given["old_str"]) == 1, f"{given['path']}: {given['old_str']!r}"
                path.write_text(text.replace(given["old_str"], given["new_str"]))
            case "search":
                assert self.run(f"grep -rqE '{given['pattern']}' {given['path']}").returncode == 0
            case "bash":
                done = self.run(given["command"])
                self.outputs.append(f"{done.stdout}{done.stderr}[exit {done.returncode}]")
            case _:
                assert name == "plan", name


def edited(project: Project) -> Iterable[str]:
    tools = (tool for turn in project.turns for tool in turn.get("tools", ()))
    return (tool["input"]["path"] for tool in tools if tool["name"] in ("edit", "write"))
