"""What a manifest or a lockfile makes an installation do that it did not before: other versions pass, other sources and scripts do not."""

import json

import pytest

from app.publish import packages

NPM = {
    "name": "web",
    "version": "1.0.0",
    "homepage": "https://example.com",
    "repository": "acme/web",
    "scripts": {"test": "jest", "postinstall": "node known.js"},
    "dependencies": {"left": "^1.0.0", "own": "github:acme/own#v1", "inner": "workspace:*"},
}
PYTHON = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "api"
dependencies = ["httpx>=0.27"]
[project.urls]
Home = "https://example.com"
[[tool.uv.index]]
url = "https://packages.acme.example/simple"
"""
LOCK = 'source = { registry = "https://pypi.org/simple" }\nurl = "https://packages.acme.example/a.whl"\n'


CRATES = "registry+https://github.com/rust-lang/crates.io-index"
FROM = "it takes packages from elsewhere: "
RUNS = "it runs a script at installation: "
HOOK = "it has a build hook: "
UNREAD = "it can't be read as what its name says"


def npm(**more: object) -> bytes:
    return json.dumps(NPM | more).encode()


def also(section: str, **more: str) -> bytes:
    there = NPM.get(section)
    return npm(**{section: (there if isinstance(there, dict) else {}) | more})


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("package.json", npm(version="1.1.0", homepage="https://other.example", bugs="https://bugs.example/")),
        ("package.json", also("dependencies", left="^2.0.0", right="~1.2.3 || >=2", inner="workspace:^1")),
        ("package.json", also("scripts", test="jest --ci", build="tsc", prebuild="rm -rf dist")),
        ("package.json", npm(type="module", files=["a/b"], exports={".": "./x.js"})),
        ("pyproject.toml", PYTHON.replace("0.27", "0.28").encode()),
        ("pyproject.toml", (PYTHON + '[tool.ruff]\nextend-exclude = ["https://x"]\n').encode()),
        ("pyproject.toml", PYTHON.replace("example.com", "other.example").encode()),
        ("uv.lock", (LOCK + 'url = "https://files.pythonhosted.org/b.whl"\nurl = "https://packages.acme.example/b.whl"\n').encode()),
        ("requirements.txt", b"httpx==0.28  # see the notes\n"),
        ("cargo.lock", b'source = "registry+https://github.com/rust-lang/crates.io-index"\n'),
        ("cargo.toml", b'[package]\nrepository = "https://github.com/x/y"\n[dependencies]\na = { path = "../a" }\nserde = "1"\n'),
        ("go.mod", b"module example.com/x\nrequire github.com/y/z v1.2.3\n"),
        ("package-lock.json", b'{"packages": {"node_modules/x": {"resolved": "https://registry.npmjs.org/x.tgz", "funding": {"url": "https://o.example"}}}}'),
        ("composer.lock", b'{"packages": [{"source": {"url": "https://github.com/a/b.git"}, "homepage": "https://x.example"}]}'),
        ("package.json", also("scripts", **{"pre-commit": "lint-staged"})),
        ("package.json", npm(imports={"#a": "./src/a.js"})),
        ("setup.py", b"anything https://at.all"),
    ],
)  # fmt: skip
def test_ordinary_edits_are_no_surprise(name: str, new: bytes) -> None:
    before = {"package.json": npm(), "pyproject.toml": PYTHON.encode(), "uv.lock": LOCK.encode()}.get(name, b"")
    assert packages.surprise(name, new, before) is None


def test_another_repository_of_a_host_of_code_is_another_source() -> None:
    """RT-G06: a registry is one source, whatever comes from it; such a host has everybody's."""
    ours, theirs = b"x @ git+https://github.com/acme/x\n", b"x @ git+https://github.com/mallory/x\n"
    assert packages.surprise("requirements.txt", ours + b"y\n", ours) is None
    assert packages.surprise("requirements.txt", theirs, ours) == FROM + "git+https://github.com/mallory/x"


def test_what_would_take_a_parser_long_is_not_parsed() -> None:
    """A key of a hundred thousand parts took all the memory of a machine."""
    for hostile in (b"a." * 99_000 + b"a = 1", b"x = 1\n" * 40_000, b"[" + b"a." * 300 + b"a]"):
        assert packages.surprise("pyproject.toml", hostile, b"") == UNREAD
    assert packages.surprise("uv.lock", b"git@" * 50_000, b"") is None


@pytest.mark.parametrize(
    ("name", "new", "why"),
    [
        ("package.json", also("scripts", preinstall="curl x"), RUNS + "preinstall: curl x"),
        ("package.json", also("scripts", postinstall="node other.js"), RUNS + "postinstall: node other.js"),
        ("package.json", also("scripts", prepare="husky"), RUNS + "prepare: husky"),
        ("package.json", npm(trustedDependencies=["evil"]), RUNS + "evil"),
        ("package.json", also("dependencies", own="github:mallory/own#v1"), FROM + "github:mallory/own#v1"),
        ("package.json", also("dependencies", x="mallory/x"), FROM + "mallory/x"),
        ("package.json", also("devDependencies", x="https://evil.example/x.tgz"), FROM + "https://evil.example/x.tgz"),
        ("package.json", also("optionalDependencies", left="npm:1eft@1"), FROM + "npm:1eft@1"),
        ("package.json", npm(overrides={"a": {"b": "git+ssh://git@x/y"}}), FROM + "git+ssh://git@x/y"),
        ("package.json", b"{", UNREAD),
        ("composer.json", b'{"scripts": {"post-install-cmd": ["sh x"]}}', RUNS + "post-install-cmd: sh x"),
        ("composer.json", b'{"repositories": [{"url": "https://evil.example"}]}', FROM + "https://evil.example"),
        ("package-lock.json", b'{"packages": {"funding": {"resolved": "https://evil.example/x.tgz"}}}', FROM + "https://evil.example/x.tgz"),
        ("package-lock.json", b'{"packages": {"node_modules/x": {"hasInstallScript": true}}}', RUNS + "packages/node_modules/x"),
        ("yarn.lock", b'resolved "https://codeload.github.com/m/x"', FROM + "https://codeload.github.com/m/x"),
        ("composer.lock", b'{"packages": [{"dist": {"url": "https://evil.example/x.zip"}}]}', FROM + "https://evil.example/x.zip"),
        ("pyproject.toml", PYTHON.replace("httpx>=0.27", "httpx @ https://evil.example/h.whl").encode(), FROM + "https://evil.example/h.whl"),
        ("pyproject.toml", PYTHON.replace("hatchling\"]", "h @ git+https://github.com/m/h\"]").encode(), FROM + "git+https://github.com/m/h"),
        ("pyproject.toml", PYTHON.replace("packages.acme", "packages.evil").encode(), FROM + "https://packages.evil.example/simple"),
        ("pyproject.toml", (PYTHON + '[tool.uv.sources]\nhttpx = { git = "ssh://git@github.com/m/h" }\n').encode(), FROM + "ssh://git@github.com/m/h"),
        ("pyproject.toml", PYTHON.replace("[project]", 'backend-path = ["."]\n[project]').encode(), HOOK + "build-system.backend-path = ."),
        ("pyproject.toml", (PYTHON + '[tool.hatch.build.hooks.a]\npath = "x"\n').encode(), HOOK + "tool.hatch.build.hooks.a.path = x"),
        ("pyproject.toml", b"\xff", UNREAD),
        ("cargo.toml", b'[package]\nbuild = "x.rs"\n', HOOK + "package.build = x.rs"),
        ("cargo.toml", b'[dependencies]\na = { git = "https://github.com/m/a" }\n', FROM + "https://github.com/m/a"),
        ("cargo.lock", f'source = "https://e.example/?{CRATES}"'.encode(), FROM + f"https://e.example/?{CRATES}"),
        ("requirements-dev.txt", b"--extra-index-url https://evil.example/simple\n", FROM + "https://evil.example/simple"),
        ("requirements.txt", b"-e git+ssh://git@github.com/m/x.git#egg=x\n", FROM + "git+ssh://git@github.com/m/x.git#egg=x"),
        ("uv.lock", (LOCK + 'url = "https://evil.example/b.whl"\n').encode(), FROM + "https://evil.example/b.whl"),
        ("gemfile.lock", b"GIT\n  remote: git@github.com:m/x.git\n", FROM + "git@github.com:m/x.git"),
        ("go.mod", b"replace a.example/x => github.com/m/x v1.0.0\n", FROM + "replace a.example/x => github.com/m/x v1.0.0"),
        ("gradle-wrapper.properties", b"distributionUrl=https\\://evil.example/gradle.zip", FROM + "https://evil.example/gradle.zip"),
    ],
)  # fmt: skip
def test_what_an_installation_would_newly_run_or_fetch_is_said(name: str, new: bytes, why: str) -> None:
    """RT-G06, RT-R11"""
    before = {"package.json": npm(), "pyproject.toml": PYTHON.encode(), "uv.lock": LOCK.encode()}.get(name, b"")
    assert packages.surprise(name, new, before) == why
    assert packages.surprise(name, new, new) is None or why == UNREAD
