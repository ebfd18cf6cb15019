"""How a repository is set up and checked: from `.github/backspace.yml` of the default branch, else by what is usual. Pure."""

import json
from collections.abc import Mapping

import yaml

from app.core.errors import UserError
from app.core.task import Words

CONFIG = ".github/backspace.yml"
MANIFESTS = ("pyproject.toml", "setup.py", "package.json", "Makefile", "go.mod", "Cargo.toml")
VENV = 'python3 -m venv --system-site-packages "$HOME/venv"'
"""The sandbox's own environment: outside the repository, so that it is never published; its `bin` is first on PATH."""


class Checks(Words):
    """`source` is the file that said so, "" where nothing did."""

    setup: str | None = None
    test: tuple[str, ...] = ()
    source: str = ""


def from_config(text: str) -> Checks:
    """Raises UserError where the file can't be understood."""
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):  # a date that is none is a ValueError
        config = ""
    if not isinstance(config, dict | None):
        raise UserError(f"`{CONFIG}` is not a YAML mapping: mend it on the default branch and ask again.")
    setup, test = (config or {}).get("setup"), (config or {}).get("test")
    tests = [test] if isinstance(test, str) else [] if test is None else test
    if (
        not (setup is None or isinstance(setup, str))
        or not isinstance(tests, list)
        or not all(isinstance(t, str) for t in tests)
    ):
        raise UserError(f"`{CONFIG}`: `setup` must be a command, `test` a command or a list of commands.")
    return Checks(setup=setup, test=tuple(test for test in tests if test.strip()), source=CONFIG)


def usual(manifests: Mapping[str, str], tracked: frozenset[str]) -> Checks:
    """The first manifest, in the order of MANIFESTS, that says how the project is tested. `manifests`: path to text, of those there are."""
    for path in MANIFESTS:
        if path in manifests and (checks := _usual(path, manifests[path], manifests, tracked)):
            return checks
    return Checks()


def _usual(path: str, text: str, manifests: Mapping[str, str], tracked: frozenset[str]) -> Checks | None:
    match path:
        case "pyproject.toml" | "setup.py":
            pytest = (
                "pytest" in text or "conftest.py" in {p.rsplit("/", 1)[-1] for p in tracked} or "pytest.ini" in tracked
            )
            extra = next((f"[{name}]" for name in ("test", "tests", "dev") if f"\n{name} = [" in text), "")
            setup = f"{VENV} && \"$HOME/venv/bin/pip\" install -q -e '.{extra}'" + (" pytest" if pytest else "")
            return Checks(
                setup=setup, test=("python -m pytest -q" if pytest else "python -m unittest -q",), source=path
            )
        case "package.json":
            return _node(text, tracked)
        case "Makefile":
            return Checks(test=("make test",), source=path) if "\ntest:" in f"\n{text}" else None
        case "go.mod":
            return Checks(test=("go test ./...",), source=path)
        case "Cargo.toml":
            return Checks(test=("cargo test --quiet",), source=path)
    return None


def _node(text: str, tracked: frozenset[str]) -> Checks | None:
    try:
        package = json.loads(text)
    except (ValueError, RecursionError):
        return None
    scripts = package.get("scripts") if isinstance(package, dict) else None
    if not isinstance(scripts, dict) or not scripts.get("test"):
        return None
    return Checks(
        setup="npm ci" if "package-lock.json" in tracked else "npm install", test=("npm test",), source="package.json"
    )
