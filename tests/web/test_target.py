"""What is taken for a repository's address and for a branch's name."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import UserError
from app.web.target import branch_of, repository_of

HERE = "https://github.com"
PARTS = ["https://", "http://", "github.com", "GitHub.com", "evil.example", "/", "//", "\\", "@", ":443", "?a", "#b", "%2f", "..", ".",
         ".git", "owner", "na-me", "e\u0301", "\u2044", "\uff0f", "\t", "\n", " ", "\x00", ":", ";", "\u202e"]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        (f"{HERE}/octo-org/larder", "octo-org/larder"),
        (f"{HERE}/octo-org/larder/", "octo-org/larder"),
        (f"{HERE}/octo-org/larder.git", "octo-org/larder"),
        (f"{HERE}/octo-org/larder.js", "octo-org/larder.js"),
        (f"{HERE}/octo-org/.github", "octo-org/.github"),
        ("https://GitHub.com/Octo-Org/Larder", "Octo-Org/Larder"),
        (f"{HERE}/mona_corp/_", "mona_corp/_"),
    ],
)
def test_the_address_of_a_repository(url: str, repository: str) -> None:
    assert repository_of(url, HERE) == repository


@pytest.mark.parametrize(
    "url",
    [
        "",
        "octo-org/larder",
        "http://169.254.169.254/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "file:///octo-org/larder",
        "git@github.com:octo-org/larder.git",
        "ssh://git@github.com/octo-org/larder",
        "git://github.com/octo-org/larder",
        "http://github.com/octo-org/larder",
        "https://github.com@evil.example/octo-org/larder",
        "https://evil.example@github.com/octo-org/larder",
        "https://user:word@github.com/octo-org/larder",
        "https://github.com.evil.example/octo-org/larder",
        "https://evilgithub.com/octo-org/larder",
        "https://www.github.com/octo-org/larder",
        "https://github.com./octo-org/larder",
        "https://github.com:443/octo-org/larder",
        "https://github.com:8443/octo-org/larder",
        "https:/github.com/octo-org/larder",
        "//github.com/octo-org/larder",
        f"{HERE}//octo-org/larder",
        f"{HERE}/octo-org//larder",
        f"{HERE}/octo-org%2flarder",
        f"{HERE}/octo-org/larder%2f..",
        f"{HERE}/octo-org/larder.git/../other",
        f"{HERE}/octo-org/larder/../other",
        f"{HERE}/octo-org/..",
        f"{HERE}/octo-org/.",
        f"{HERE}/octo-org/.git",
        f"{HERE}/octo-org/..git",
        f"{HERE}/octo-org/larder.git.git",
        f"{HERE}/octo-org/larder.GIT",
        f"{HERE}/../larder",
        f"{HERE}/octo-org",
        f"{HERE}/octo-org/",
        f"{HERE}/-octo/larder",
        f"{HERE}/octo-org/larder/issues/5",
        f"{HERE}/octo-org/larder?x=1",
        f"{HERE}/octo-org/larder#readme",
        f"{HERE}\\octo-org\\larder",
        f"{HERE}/octo-org\\larder",
        f" {HERE}/octo-org/larder",
        f"{HERE}/octo-org/larder\n",
        f"{HERE}/octo-org/lar\tder",
        f"{HERE}/octo-org/larder\x00",
        f"{HERE}/octo-org/l\u0430rder",
        f"{HERE}/octo\uff0forg/larder",
        "https://g\u0131thub.com/octo-org/larder",
        "https://githu\u1e05.com/octo-org/larder",
        "http\u017f://github.com/octo-org/larder",
        f"{HERE}/{'a' * 40}/larder",
        f"{HERE}/octo-org/{'a' * 101}",
    ],
)
def test_what_only_looks_like_one_is_refused(url: str) -> None:
    """RT-A02"""
    with pytest.raises(UserError, match=r"repo_url must be .*, and nothing more"):
        repository_of(url, HERE)


@pytest.mark.parametrize("server", ["http://127.0.0.1:9000", "https://git.example/github"])
def test_another_github_is_its_scheme_host_and_port_exactly(server: str) -> None:
    assert repository_of(f"{server}/octo-org/larder", server) == "octo-org/larder"
    for other in (HERE, server.replace("9000", "9001") + "x", server.replace(".", "x")):
        with pytest.raises(UserError):
            repository_of(f"{other}/octo-org/larder", server)


@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=8).map("".join))
def test_whatever_is_taken_was_this_servers_address_letter_for_letter(url: str) -> None:
    """RT-A02: what is passed on can be nothing but two plain names, and these are the ones that were sent."""
    for sent in (url, f"{HERE}/{url}"):
        try:
            found = repository_of(sent, HERE)
        except UserError:
            continue
        assert sent.lower() in {f"{HERE}/{found}{end}".lower() for end in ("", "/", ".git")}
        assert found.isascii()
        assert set(found.split("/")).isdisjoint({"", ".", "..", ".git"})


@pytest.mark.parametrize(
    "name", ["fix", "fix/login", "backspace/12-x", "a.b", "v1.2+build", "_x", "F-1", "main", "a" * 200]
)
def test_a_plain_branch_name(name: str) -> None:
    assert branch_of(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "--upload-pack=touch /tmp/x",
        "--upload-pack",
        "-x",
        "a..b",
        "@{-1}",
        "@",
        "x@{1}",
        "x y",
        "x\u3000y",
        "x\ny",
        "refs/heads/main",
        "REFS/heads/main",
        "refs",
        "HEAD",
        "head",
        "/x",
        "x/",
        "x//y",
        ".x",
        "x/.y",
        "x.",
        "x.lock",
        "x.lock/y",
        "x~1",
        "x^",
        "x:y",
        "x?",
        "x*",
        "x[y",
        "x\\y",
        "$(id)",
        "`id`",
        "x;id",
        "x\x00",
        "x\x7f",
        "caf\u00e9",
        "d" * 40,
        "D" * 40,
        "a" * 201,
    ],
)
def test_what_git_or_a_shell_takes_otherwise_is_refused(name: str) -> None:
    """RT-A07"""
    with pytest.raises(UserError, match="branch must be a plain branch name"):
        branch_of(name)


@settings(max_examples=60)
@given(
    st.text(st.sampled_from("aA1._/+-@{}~ ^:"), max_size=8) | st.from_regex(r"[a-z./-]{1,6}(\.lock)?", fullmatch=True)
)
def test_git_itself_takes_whatever_is_taken(name: str) -> None:
    """RT-A07: asked of git's own check."""
    try:
        branch_of(name)
    except UserError:
        return
    git = subprocess.run(["git", "check-ref-format", "--branch", name], capture_output=True, text=True, check=False)
    assert git.stdout == f"{name}\n", git.stderr
