"""Manifests and lockfiles: what in them makes an installation run or fetch something that it did not before.

Looked at: npm, pnpm, yarn, bun, deno, Composer; pip, uv, Poetry, PDM, Pipenv; Cargo, Bundler, Go, Gradle. Another version from the same
registry is ordinary work; a new address, a script at installation, a build hook is not.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

Fact = tuple[str, str]
"""What an installation does, in words for people, and exactly what. A surprise is a fact that the base does not have."""
Leaf = tuple[tuple[str, ...], str]
"""Where in a document, and the value there."""

_REGISTRIES = frozenset((
    "crates.io", "files.pythonhosted.org", "index.crates.io", "index.rubygems.org", "packagist.org", "plugins.gradle.org",
    "proxy.golang.org", "pypi.org", "registry.npmjs.org", "registry.yarnpkg.com", "repo.maven.apache.org", "repo.packagist.org",
    "repo1.maven.org", "rubygems.org", "services.gradle.org", "static.crates.io",
))  # fmt: skip
_CODE_HOSTS = frozenset((
    "api.github.com", "bitbucket.org", "codeberg.org", "codeload.github.com", "gist.github.com", "github.com", "gitlab.com",
    "raw.githubusercontent.com",
))  # fmt: skip
"""One host, a stranger's repository beside one's own."""
_CRATES = "registry+https://github.com/rust-lang/crates.io-index"
_ADDRESS = re.compile(
    r"(?:[a-z]{2,10}\+)?(?:https?|ssh|git|file|ftp)://[^\s\"'<>()\[\]{},\\]+|\bgit@[^\s\"':]{1,80}:[^\s\"',]+", re.I
)
_REPLACED = re.compile(r"^.*=>.*$", re.M)
_NPM_SCRIPTS = re.compile(r"(pre|post)?(install|prepare)|prepublish|dependencies")
_COMPOSER_SCRIPTS = re.compile(r"(pre|post)-.+")
_NPM_PACKAGES = frozenset((
    "dependencies", "devDependencies", "imports", "optionalDependencies", "overrides", "peerDependencies", "pnpm", "repositories",
    "require", "require-dev", "resolutions",
))  # fmt: skip
_NPM_TRUST = frozenset(("binary", "onlyBuiltDependencies", "trustedDependencies"))
_INSIDE = ("workspace:", "catalog:", "jsr:", "./")
_TOML_PACKAGES = re.compile(
    r"project\.(optional-)?dependencies\b|dependency-groups\b|build-system\.requires\b|tool\.(uv|pixi)\b"
    r"|tool\.(poetry|pdm)\.(source|group|(dev-)?dependencies)\b|tool\.hatch\.envs\b|source\b|(dev-|default-)?packages\b"
    r"|(target\..*\.|workspace\.)?(dev-|build-)?dependencies\b|patch\b|replace\b|registries\b"
)
_TOML_HOOKS = re.compile(
    r"build-system\.backend-path\b|tool\.hatch\b.*\bhooks\b|tool\.poetry\.build\b|tool\.pdm\.build\b|tool\.setuptools\.cmdclass\b|package\.build\b"
)
_TOML_BYTES, _TOML_DOTS = 200_000, 200
"""Dots of one line: what `tomllib` takes for a dotted key grows with the square of them."""
_ELSEWHERE = "it takes packages from elsewhere"
_SCRIPT = "it runs a script at installation"
_HOOK = "it has a build hook"


def is_one(name: str) -> bool:
    """Whether a file of this folded name is looked at."""
    return _facts_of(name) is not None


def surprise(name: str, new: bytes, old: bytes) -> str | None:
    """Why a person should look at this new content of a manifest or lockfile, `old` being the base's, or empty."""
    facts_of = _facts_of(name)
    if facts_of is None:
        return None
    try:
        found = set(facts_of(new))
    except (ValueError, RecursionError):
        return "it can't be read as what its name says"
    try:
        known = set(facts_of(old)) if old else set()
    except (ValueError, RecursionError):
        known = set()
    known_origins = {_origin(exactly) for _, exactly in known}
    fresh = sorted(
        (what, exactly)
        for what, exactly in found - known
        if not (what == _ELSEWHERE and _origin(exactly) in known_origins)
    )
    return f"{fresh[0][0]}: {_short(fresh[0][1])}" if fresh else None


def _facts_of(name: str) -> Callable[[bytes], Iterator[Fact]] | None:
    if re.fullmatch(r".*(requirements|constraints).*\.(txt|in)", name) or name.endswith((".gradle", ".gradle.kts")):
        return _text
    return _KINDS.get(name)


def _npm(content: bytes, scripts: re.Pattern[str] = _NPM_SCRIPTS) -> Iterator[Fact]:
    for at, value in _leaves(json.loads(content)):
        if at[0] == "scripts" and scripts.fullmatch("".join(at[1:2])):
            yield _SCRIPT, f"{at[1]}: {value}"
        if not _NPM_TRUST.isdisjoint(at):
            yield _SCRIPT, value
        if at[0] in _NPM_PACKAGES and (":" in value or "/" in value) and not value.startswith(_INSIDE):
            yield _ELSEWHERE, value
        if at == ("publishConfig", "registry") or (at == ("packageManager",) and "://" in value):
            yield _ELSEWHERE, value


def _composer(content: bytes) -> Iterator[Fact]:
    return _npm(content, _COMPOSER_SCRIPTS)


def _npm_lock(content: bytes) -> Iterator[Fact]:
    for at, value in _leaves(json.loads(content)):
        if at[-1:] == ("resolved",):
            yield from _addresses(value)
        if at[-1:] == ("hasInstallScript",) and value != "False":
            yield _SCRIPT, "/".join(at[:-1])


def _composer_lock(content: bytes) -> Iterator[Fact]:
    for at, value in _leaves(json.loads(content)):
        if at[-2:] in (("source", "url"), ("dist", "url")) and (urlsplit(value).hostname or "") not in _CODE_HOSTS:
            yield _ELSEWHERE, value


def _toml(content: bytes) -> Iterator[Fact]:
    if len(content) > _TOML_BYTES or any(line.count(b".") > _TOML_DOTS for line in content.splitlines()):
        raise ValueError("more than can be parsed in little time and memory")
    for at, value in _leaves(tomllib.loads(content.decode())):
        where = ".".join(at)
        if _TOML_HOOKS.match(where):
            yield _HOOK, f"{where} = {value}"
        if _TOML_PACKAGES.match(where):
            yield from _addresses(value)


def _text(content: bytes) -> Iterator[Fact]:
    yield from _addresses(content.decode("utf-8", "replace").replace("\\:", ":"))  # so .properties write it


def _go(content: bytes) -> Iterator[Fact]:
    for line in _REPLACED.findall(content.decode("utf-8", "replace")):
        yield _ELSEWHERE, " ".join(line.split())


def _addresses(text: str) -> Iterator[Fact]:
    for found in _ADDRESS.finditer(text):
        address = found[0].rstrip(".;")
        if _host(address) not in _REGISTRIES and address != _CRATES:
            yield _ELSEWHERE, address


def _origin(address: str) -> str:
    """What two addresses of one registry have in common; of a code host nothing but the whole."""
    host = _host(address)
    return address if host in _CODE_HOSTS or not host else f"{address.partition('://')[0]}://{host}"


def _host(address: str) -> str:
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""


def _leaves(value: Any, at: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every value in the document, tables and lists entered."""
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _leaves(inner, (*at, str(key)))
        case list():
            for inner in value:
                yield from _leaves(inner, at)
        case _ if at:
            yield at, str(value)


def _short(what: str) -> str:
    return what if len(what) <= 100 else what[:99] + "…"


_KINDS: Mapping[str, Callable[[bytes], Iterator[Fact]]] = {
    "package.json": _npm, "composer.json": _composer, "deno.json": _npm, "package-lock.json": _npm_lock, "npm-shrinkwrap.json": _npm_lock,
    "composer.lock": _composer_lock, "pyproject.toml": _toml, "cargo.toml": _toml, "pipfile": _toml, "go.mod": _go,
    **dict.fromkeys(
        ("bun.lock", "cargo.lock", "deno.lock", "gemfile", "gemfile.lock", "gradle-wrapper.properties", "pdm.lock", "pipfile.lock",
         "pnpm-lock.yaml", "pnpm-workspace.yaml", "poetry.lock", "setup.cfg", "uv.lock", "uv.toml", "yarn.lock"),
        _text,
    ),
}  # fmt: skip
