"""How a repository is checked: what it says itself, else what is usual for its kind."""

from typing import Any

import pytest

from app.core.errors import UserError
from app.runs.checking import ending
from app.runs.checks import CONFIG, Checks, from_config, usual
from app.sandbox.base import Result, Stream

VENV = 'python3 -m venv --system-site-packages "$HOME/venv" && "$HOME/venv/bin/pip" install -q -e '
UNITTEST, PYTEST = ("python -m unittest -q",), ("python -m pytest -q",)


@pytest.mark.parametrize(
    ("manifests", "tracked", "expected"),
    [
        ({}, set(), Checks()),
        (
            {"pyproject.toml": "[project]\nname = 'x'\n"},
            set(),
            Checks(setup=f"{VENV}'.'", test=UNITTEST, source="pyproject.toml"),
        ),
        (
            {"pyproject.toml": "[tool.pytest.ini_options]\n"},
            set(),
            Checks(setup=f"{VENV}'.' pytest", test=PYTEST, source="pyproject.toml"),
        ),
        (
            {"pyproject.toml": "[project.optional-dependencies]\ntest = ['pytest']\n"},
            set(),
            Checks(setup=f"{VENV}'.[test]' pytest", test=PYTEST, source="pyproject.toml"),
        ),
        (
            {"pyproject.toml": "[project.optional-dependencies]\ndocs = []\ndev = ['nose']\n"},
            {"tests/unit/conftest.py"},
            Checks(setup=f"{VENV}'.[dev]' pytest", test=PYTEST, source="pyproject.toml"),
        ),
        ({"setup.py": "setup()"}, {"pytest.ini"}, Checks(setup=f"{VENV}'.' pytest", test=PYTEST, source="setup.py")),
        (
            {"package.json": '{"scripts": {"test": "jest"}}'},
            {"package-lock.json"},
            Checks(setup="npm ci", test=("npm test",), source="package.json"),
        ),
        (
            {"package.json": '{"scripts": {"test": "jest"}}'},
            set(),
            Checks(setup="npm install", test=("npm test",), source="package.json"),
        ),
        ({"package.json": '{"scripts": {"build": "tsc"}}'}, set(), Checks()),
        ({"package.json": "{"}, set(), Checks()),
        ({"package.json": "[]"}, set(), Checks()),
        ({"package.json": "[" * 100_000}, set(), Checks()),
        ({"package.json": '{"scripts": null}'}, set(), Checks()),
        ({"package.json": '{"scripts": ["test"]}'}, set(), Checks()),
        ({"Makefile": "all:\n\ttrue\ntest: all\n\ttrue\n"}, set(), Checks(test=("make test",), source="Makefile")),
        ({"Makefile": "test:\n\ttrue\n"}, set(), Checks(test=("make test",), source="Makefile")),
        ({"Makefile": "lint:\n\techo test:\n"}, set(), Checks()),
        ({"go.mod": "module x\n"}, set(), Checks(test=("go test ./...",), source="go.mod")),
        ({"Cargo.toml": ""}, set(), Checks(test=("cargo test --quiet",), source="Cargo.toml")),
        (
            {"package.json": "{}", "Makefile": "test:\n", "go.mod": ""},
            set(),
            Checks(test=("make test",), source="Makefile"),
        ),
    ],
)
def test_what_is_usual(manifests: dict[str, str], tracked: set[str], expected: Checks) -> None:
    assert usual(manifests, frozenset(tracked)) == expected


@pytest.mark.parametrize(
    ("text", "setup", "test"),
    [
        ("", None, ()),
        ("# nothing yet\n", None, ()),
        ("test: make check", None, ("make check",)),
        ("setup: npm ci\ntest:\n  - npm test\n  - npm run lint\n", "npm ci", ("npm test", "npm run lint")),
        ("setup: |\n  a\n  b\ntest: []\n", "a\nb\n", ()),
        ("test:\nsetup:\n", None, ()),
        ("test: ''\n", None, ()),
        ("test: x\nlabel: something\n", None, ("x",)),
    ],
)
def test_what_the_repository_says(text: str, setup: str | None, test: tuple[str, ...]) -> None:
    assert from_config(text) == Checks(setup=setup, test=test, source=CONFIG)


@pytest.mark.parametrize(
    "text",
    [
        "test: [1]", "test: 3", "test: {a: b}", "test: [[x]]", "test: true", "setup: [x]", "setup: 1", "setup: {}",
        "test: false", "test: 0", "setup: false",
    ],
)  # fmt: skip
def test_a_wrong_type_is_named(text: str) -> None:
    with pytest.raises(UserError, match="`setup` must be a command, `test` a command or a list of commands"):
        from_config(text)


@pytest.mark.parametrize(
    "text",
    [
        "- x",
        "x",
        "3",
        "{",
        "test: [",
        "a: b: c",
        "test: !!python/object:os.system x",
        "\x00",
        "[" * 5000,
        "? [x]\n: y",
        "test: 2024-13-45",
        "[]",
        "false",
    ],
    ids=range(13),
)
def test_what_is_no_mapping_is_said(text: str) -> None:
    with pytest.raises(UserError, match="is not a YAML mapping: mend it on the default branch"):
        from_config(text)


@pytest.mark.parametrize(
    ("ended", "code", "said"),
    [
        ("exited", 0, "exit 0"),
        ("exited", 126, "exit 126, the command can't be run in the sandbox"),
        ("exited", 127, "exit 127, the command is not in the sandbox"),
        ("deadline", None, "no end after 60 s"),
        ("stopped", None, "stopped"),
        ("interrupted", None, "cut off, and its end was lost"),
    ],
)
def test_how_a_command_ended_is_said(ended: Any, code: int | None, said: str) -> None:
    nothing = Stream(b"", b"", 0, "")
    assert ending(Result(ended, code, nothing, nothing, 1.0), 60) == said
