"""A repository whose submodules are an attack: they are entries of its tree, and nothing more."""

from pathlib import Path

import pytest

from app.core.errors import UserError
from tests.sandbox.git_server import git
from tests.sandbox.test_repo import Ground, ground, origin

__all__ = ["ground", "origin"]
HOSTILE = {
    "ext": "ext::sh -c 'touch ~/pwned'",
    "local": "file:///etc",
    "option": "-u./payload",
    "carriage\r": "../r",
}
"""Path of each submodule, and its URL. The last is CVE-2025-48384: the path is written with its end and read without."""


def plant(folder: Path) -> None:
    """Commit them to the repository, and a link that leads one of them to where hooks lie."""
    modules = "".join(
        f'[submodule "{n}"]\n\tpath = "{path}"\n\turl = "{url}"\n\tupdate = !touch ~/pwned\n'
        for n, (path, url) in enumerate(HOSTILE.items())
    )
    (folder / ".gitmodules").write_bytes(modules.encode())
    (folder / "carriage").symlink_to(".git/modules/3/hooks")
    (folder / "payload").write_text("#!/bin/sh\ntouch ~/pwned\n")
    (folder / "payload").chmod(0o755)
    git(folder, "add", ".gitmodules", "carriage", "payload")
    head = git(folder, "rev-parse", "HEAD")
    for path in HOSTILE:
        git(folder, "update-index", "--add", "--cacheinfo", "160000", head, path)
    git(folder, "commit", "-qm", "Submodules")


async def test_hostile_submodules_are_neither_followed_nor_run(ground: Ground, tmp_path: Path) -> None:
    """RT-R07"""
    plant(tmp_path / "served/o/r")
    assert await ground.clone() == git(tmp_path / "served/o/r", "rev-parse", "main")
    assert (
        await ground.bash("ls .git/modules ~/pwned 2>/dev/null || true; git config --get-regexp submodule || true")
        == ""
    )
    assert not [path for path in ground.folder.rglob("*") if path.name in ("pwned", "hooks")]
    assert await ground.changes("k") == {}
    await ground.bash("echo changed > README.md")
    assert list(await ground.changes("l")) == ["README.md"]
    assert await ground.candidate("m")


@pytest.mark.parametrize("url", ["ext::sh -c 'touch ~/pwned'", "file:///etc"])
@pytest.mark.parametrize("ground", ["bubblewrap"], indirect=True)
async def test_the_repository_itself_comes_over_http_alone(ground: Ground, url: str) -> None:
    """RT-R07"""
    with pytest.raises(UserError, match="can't be cloned from there"):
        await ground.clone(url=url)
    assert not [path for path in ground.folder.rglob("*") if path.name == "pwned"]
