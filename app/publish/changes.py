"""The gate: which changes may leave the sandbox. Pure: it judges names, modes and bytes, as the sandbox told them.

A change passes, is stripped (nobody can let it through), or is asked about: it stays out of this pull request, and a person who
approves the hash of all that was asked about lets exactly that content through in the next run.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from app.core.events import LeftOutPath
from app.core.redact import Redactor
from app.publish import contents as looked_into
from app.publish import names
from app.publish.protected import Kept, by_name
from app.sandbox.repo import Change


@dataclass(frozen=True)
class Limits:
    file_bytes: int = 5_000_000
    files: int = 300
    total_bytes: int = 20_000_000


@dataclass(frozen=True)
class Verdicts:
    """All three lists are in the order of their paths."""

    passed: tuple[Change, ...]
    left_out: tuple[LeftOutPath, ...]
    refused: str | None
    """One sentence for people, where the whole is too large: then nothing passed."""
    asked: tuple[str, ...] = ()
    """Those of `left_out` that a person may let through, as they are named there."""
    held: tuple[Change, ...] = ()
    """The same as changes."""
    approval: str = ""
    """What stands for exactly the content of all `asked`, and of nothing else."""


@dataclass(frozen=True)
class Contents:
    """`new`: the bytes of every changed path that has some. `before`: those of the base, for `compared` paths. `known`: our secrets."""

    new: Mapping[str, bytes]
    before: Mapping[str, bytes] = field(default_factory=dict)
    known: Redactor = field(default_factory=lambda: Redactor(()))


def judge(
    changes: Iterable[Change],
    limits: Limits = Limits(),
    contents: Contents | None = None,
    approved: frozenset[str] = frozenset(),
) -> Verdicts:
    """What may be published, and what is left out with its reason. A `Verdicts.approval` in `approved` lets that set through.

    Leaving a path out never lets another one in. Bytes that `contents` lacks are asked about; without any, names and modes alone count.
    Some seconds for the largest change (half a second per MB): call it in a process of its own.
    """
    ordered = sorted(changes, key=lambda change: change.path)
    kept = {change.path: found for change in ordered if (found := _judged(change, limits, contents))}
    kept |= _in_their_place(ordered, kept)
    asked = [change for change in ordered if change.path in kept and kept[change.path].ask]
    approval = content_of(asked) if asked else ""
    if approval in approved:
        kept = {path: found for path, found in kept.items() if not found.ask}
        asked, approval = [], ""
    passed = tuple(change for change in ordered if change.path not in kept)
    refused = _too_large(passed, limits)

    def shown(path: str) -> str:
        return contents.known.text(names.showable(path)) if contents else names.showable(path)

    return Verdicts(
        passed=() if refused else passed,
        left_out=tuple(LeftOutPath(path=shown(path), reason=kept[path].reason) for path in sorted(kept)),
        refused=refused,
        asked=tuple(shown(change.path) for change in asked),
        held=tuple(asked),
        approval=approval,
    )


def compared(changes: Iterable[Change], new: Mapping[str, bytes]) -> tuple[str, ...]:
    """The paths of which the gate needs what the base has."""
    return tuple(c.path for c in changes if c.path in new and looked_into.is_compared(c, new[c.path]))


def touches_tests(paths: Iterable[str]) -> bool:
    """Whether tests, or the configuration of checks, are among the paths: then a green check proves less."""
    return any(_is_test_or_config(PurePosixPath(path)) for path in paths)


def _judged(change: Change, limits: Limits, contents: Contents | None) -> Kept | None:
    """The first reason, what nobody can let through before what a person can."""
    found = list(_reasons(change, limits, contents))
    return next((kept for kept in found if not kept.ask), found[0] if found else None)


def _reasons(change: Change, limits: Limits, contents: Contents | None) -> Iterator[Kept]:
    if bad := names.bad(change.path):
        yield Kept(bad, ask=False)
        return
    if contents and contents.known.knows(change.path):
        yield Kept("its name holds a secret of this server", ask=False)
    if kept := by_name(names.folded(change.path)):
        yield kept
    if change.status == "D":
        return
    if kept := looked_into.by_mode(change):
        yield kept
    if change.size > limits.file_bytes:
        yield Kept(f"it has {_mb(change.size)}; a file may have {_mb(limits.file_bytes)}", ask=False)
    elif contents and change.new_mode != "160000":
        yield from _by_content(change, contents)


def _by_content(change: Change, contents: Contents) -> Iterator[Kept]:
    content = contents.new.get(change.path)
    if content is None:
        yield Kept("its content could not be looked at")
        return
    if kept := looked_into.never(change, content, contents.known):
        yield kept
    if kept := looked_into.to_ask(change, content, contents.before.get(change.path, b"")):
        yield kept


def _in_their_place(changes: Sequence[Change], kept: Mapping[str, Kept]) -> dict[str, Kept]:
    """A file in the place of a folder, or the other way round, deletes what was there: where that is left out, it is too."""
    stay = {change.path: kept[change.path] for change in changes if change.status == "D" and change.path in kept}
    holding: dict[str, Kept] = {}
    for path, found in stay.items():
        for parent in _parents(path):
            holding[parent] = _stricter(found, holding.get(parent))
    more = {}
    for change in changes if stay else ():
        others = [holding.get(change.path), *(stay.get(parent) for parent in _parents(change.path))]
        strictest = min((found for found in others if found), key=lambda found: found.ask, default=None)
        if change.status != "D" and strictest:
            instead = Kept("it would take the place of what is left out", strictest.ask)
            more[change.path] = _stricter(kept.get(change.path, instead), instead)
    return more


def _stricter(found: Kept, other: Kept | None) -> Kept:
    return other if other and found.ask and not other.ask else found


def _parents(path: str) -> Iterator[str]:
    """The folders that a path lies in."""
    while (at := path.rfind("/")) > 0:
        path = path[:at]
        yield path


def content_of(changes: Sequence[Change]) -> str:
    """What stands for exactly these changes, which are in the order of their paths.

    128 bits: who can choose two contents must not find two with the same.
    """
    entries = "".join(f"{change.new_mode} {change.new_sha}\t{change.path}\0" for change in changes)
    return hashlib.sha256(entries.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _too_large(passed: tuple[Change, ...], limits: Limits) -> str | None:
    if len(passed) > limits.files:
        return f"The change has {len(passed)} files; a pull request may have {limits.files}. Ask for a smaller step."
    total = sum(change.size for change in passed if change.status != "D")
    if total > limits.total_bytes:
        return (
            f"The change has {_mb(total)}; a pull request may have {_mb(limits.total_bytes)}. Ask for a smaller step."
        )
    return None


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


_TEST_FOLDERS = frozenset(
    ("test", "tests", "__tests__", "spec", "specs", "testing", "testdata", "e2e", "__snapshots__")
)
_TEST_NAME = re.compile(
    r"(?i:test_.*|test\.[^.]+|.*[._-](test|tests|spec)\.[^.]+(\.snap)?)|.*(Test|Tests|Spec)\.(java|kt|cs|scala|php|swift)"
)
_CONFIG = frozenset((
    "conftest.py", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "setup.py", "pyproject.toml", "noxfile.py", ".coveragerc",
    "mypy.ini", "ruff.toml", ".flake8", "sitecustomize.py", ".pre-commit-config.yaml", "package.json", "tsconfig.json", "deno.json",
    "Cargo.toml", "go.mod", "pom.xml", "build.gradle", "build.gradle.kts", "build.sbt", "composer.json", "phpunit.xml", "Makefile",
    "makefile", "GNUmakefile", "justfile", "Taskfile.yml", "Rakefile", "Gemfile", "CMakeLists.txt", "Dockerfile",
))  # fmt: skip
_CONFIG_NAME = re.compile(
    r"(jest|vitest|karma|playwright|cypress|babel|vite|ava|eslint)\.(config|conf)\..+|\.(mocharc|eslintrc|babelrc)(\..+)?"
    r"|requirements.*\.txt|.*\.(mk|pth)"
)


def _is_test_or_config(path: PurePosixPath) -> bool:
    return (
        not _TEST_FOLDERS.isdisjoint(part.lower() for part in path.parts[:-1])
        or str(path) == ".github/backspace.yml"
        or path.name in _CONFIG
        or _TEST_NAME.fullmatch(path.name) is not None
        or _CONFIG_NAME.fullmatch(path.name) is not None
    )
