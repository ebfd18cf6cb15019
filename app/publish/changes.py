"""The first gate: which changed paths may leave the sandbox. Pure: it sees names, modes and sizes, as the sandbox told them."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.core.events import LeftOutPath
from app.sandbox.repo import Change


@dataclass(frozen=True)
class Limits:
    file_bytes: int = 5_000_000
    files: int = 300
    total_bytes: int = 20_000_000


@dataclass(frozen=True)
class Verdicts:
    """Both lists are in the order of their paths."""

    passed: tuple[Change, ...]
    left_out: tuple[LeftOutPath, ...]
    refused: str | None
    """One sentence for people, where the whole is too large: then nothing passed."""


def judge(changes: Iterable[Change], limits: Limits = Limits()) -> Verdicts:
    """What may be published, and what is left out with its reason.

    A reason depends on that one change alone, so leaving paths out never lets another one in.
    """
    ordered = sorted(changes, key=lambda change: change.path)
    reasons = [_why_not(change, limits) for change in ordered]
    passed = tuple(change for change, reason in zip(ordered, reasons, strict=True) if reason is None)
    left_out = tuple(
        LeftOutPath(path=_showable(change.path), reason=reason)
        for change, reason in zip(ordered, reasons, strict=True)
        if reason
    )
    refused = _too_large(passed, limits)
    return Verdicts(() if refused else passed, left_out, refused)


def touches_tests(paths: Iterable[str]) -> bool:
    """Whether tests, or the configuration of checks, are among the paths: then a green check proves less."""
    return any(_is_test_or_config(PurePosixPath(path)) for path in paths)


def _why_not(change: Change, limits: Limits) -> str | None:
    return _bad_name(change.path) or _needs_a_person(change.path) or _bad_content(change, limits)


def _bad_name(path: str) -> str | None:
    if not _is_utf8(path):
        return "its name is not UTF-8"
    if any(unicodedata.category(c) == "Cc" for c in path):
        return "its name has control characters"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "its name is no plain path inside the repository"
    if any(_could_be_git_folder(part) for part in re.split(r"[/\\]", path)):
        return "its name is, on some system, that of git's own folder"
    return None


def _needs_a_person(path: str) -> str | None:
    parts = [_folded(part) for part in path.split("/")]
    if parts[:2] in ([".github", "workflows"], [".github", "actions"]):
        return "workflow files need a person"
    if parts[-1] in ("action.yml", "action.yaml"):
        return "action files need a person"
    if parts == [".gitmodules"]:
        return "the addresses of submodules need a person"
    return None


def _bad_content(change: Change, limits: Limits) -> str | None:
    if change.status == "D":
        return None
    if change.new_mode == "160000":
        return "submodules need a person"
    if change.new_mode == "120000":
        return "symbolic links need a person"
    if change.new_mode not in ("100644", "100755"):
        return f"its mode {change.new_mode} is not that of a file"
    if change.size > limits.file_bytes:
        return f"it has {_mb(change.size)}; a file may have {_mb(limits.file_bytes)}"
    return None


def _too_large(passed: tuple[Change, ...], limits: Limits) -> str | None:
    if len(passed) > limits.files:
        return f"The change has {len(passed)} files; a pull request may have {limits.files}. Ask for a smaller step."
    total = sum(change.size for change in passed if change.status != "D")
    if total > limits.total_bytes:
        return (
            f"The change has {_mb(total)}; a pull request may have {_mb(limits.total_bytes)}. Ask for a smaller step."
        )
    return None


def _could_be_git_folder(part: str) -> bool:
    """Whether any file system that git runs on may open `.git` under this name.

    Case and hidden characters do not count on macOS; trailing dots and spaces, all after a colon, and the short name `git~1` on
    Windows. Wider than git's own rule (compatibility forms, accents, a dotless i), for nobody needs such names.
    """
    return re.fullmatch(r"\.git|git~\d+", _folded(part.split(":")[0])) is not None


def _folded(part: str) -> str:
    letters = (
        c for c in unicodedata.normalize("NFKD", part) if unicodedata.category(c) not in ("Cf", "Cc", "Mn", "Me")
    )
    return "".join(letters).upper().lower().rstrip(". ")


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _showable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


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
