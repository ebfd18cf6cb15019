"""Projects to show the work on: our own small one, and releases of known projects just before a fix.

Each folder holds `project.json` (what it is), `issue.json` (what is asked), `script.json` (what the scripted model replies) and
`project/`: the whole project for our own; else what is laid over its source distribution: which checks there are.
"""

import json
import re
from pathlib import Path
from typing import Any

from app.core.errors import UserError
from app.core.task import Words

_HERE = Path(__file__).parent


class Project(Words):
    """A project, the issue opened in it, and the replies of the scripted model that resolve it."""

    name: str
    version: str
    issue_title: str
    issue_body: str
    comment: str
    """The comment that starts the work: "/backspace …"."""
    turns: tuple[dict[str, Any], ...] = ()
    """Replies of the scripted model, in order; none where a real model does the work."""
    files: Path | None = None
    """Folder of the project's files; laid over the source distribution where there is one."""
    source: str | None = None
    """Requirement line of the source distribution, with its hash where known. None: `files` is the whole project."""
    test_packages: tuple[str, ...] = ()
    """Requirements to build and test it; the sandbox finds them in its folder of wheels."""
    next_version: str | None = None
    """The release that has the fix."""
    proves: tuple[str, ...] = ()
    """Tests of that release which fail before the fix and pass after it, as its test runner names them."""


def own() -> Project:
    """The project that ships with us and needs no network."""
    return _read(_HERE / "larder")


def registry(name: str, version: str) -> Project | None:
    """The scripted project with this name (in any spelling) and version, if there is one."""
    wanted = (_normal(name), version)
    return next((project for project in _scripted() if (_normal(project.name), project.version) == wanted), None)


def known() -> list[str]:
    """`NAME==VERSION` of each scripted project of the registry."""
    return [f"{project.name}=={project.version}" for project in _scripted()]


def find(spec: str) -> Project:
    """The scripted project `NAME==VERSION`. Raises UserError that lists those there are."""
    project = registry(*parse(spec))
    if project is None:
        raise UserError(
            f"There is no script for {spec}; there is one for {' and '.join(known())}. "
            "For any other project set ANTHROPIC_API_KEY and give --prompt."
        )
    return project


def unscripted(spec: str, prompt: str) -> Project:
    """Any project of the registry, for a real model: the prompt is the issue and the command. Raises UserError for a malformed spec."""
    name, version = parse(spec)
    return Project(
        name=name,
        version=version,
        issue_title=prompt.partition("\n")[0][:100],
        issue_body=prompt,
        comment=f"/backspace {prompt}",
        source=f"{name}=={version}",
        test_packages=("pytest", "setuptools", "wheel"),
    )


def parse(spec: str) -> tuple[str, str]:
    """Name and version of `NAME==VERSION`. Raises UserError."""
    found = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9.!+]*)", spec)
    if not found:
        raise UserError(f"--project takes NAME==VERSION, such as {known()[0]}; it got {spec!r}.")
    return found[1], found[2]


def _scripted() -> list[Project]:
    return [_read(folder) for folder in sorted((_HERE / "registry").iterdir()) if (folder / "project.json").exists()]


def _read(folder: Path) -> Project:
    project, issue, script = (
        json.loads((folder / f"{part}.json").read_text(encoding="utf-8")) for part in ("project", "issue", "script")
    )
    return Project(
        **project,
        issue_title=issue["title"],
        issue_body=issue["body"],
        comment=issue["comment"],
        turns=script["turns"],
        files=folder / "project",
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
