"""The search for secrets finds those that were planted."""

import asyncio

import pytest
from e2b import AsyncSandbox

from tests.e2b_cloud.lab import E2B, until
from tests.e2b_cloud.search import given_away

CANARY = "canary/7d1f?+é=~tail"

GIT = "git init -q r; cd r; git config user.name x; git config user.email x"


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ('printf "before$CANARY after" > f', "plain in home/user/f"),
        ('printf "$CANARY" | base64 -w0 > f', "base64 in home/user/f"),
        ('printf "a:$CANARY:z" | base64 -w0 > f', "base64 in home/user/f"),
        ('printf "u:$CANARY:z" | base64 -w0 | tr +/ -_ > f', "base64 in home/user/f"),
        ('printf "$CANARY" | od -An -v -tx1 | tr -d " \\n" > f', "hex in home/user/f"),
        ('python3 -c "import os; print(os.environ[\'CANARY\'][::-1])" > f', "reversed in home/user/f"),
        ('python3 -c "import os, urllib.parse as u; print(u.quote(os.environ[\'CANARY\'], safe=\'\'))" > f', "URL-encoded in home/user/f"),
        ('mkdir d; touch "d/${CANARY#*/}"', "plain in the name of a file"),
        ('ln -s "$CANARY" l', "plain in the link home/user/l"),
        (f'{GIT}; git config http.extraheader "$CANARY"', "plain in home/user/r/.git/config"),
        (f'{GIT}; git commit --allow-empty -qm "$CANARY"; git gc -q', "plain in home/user/r/.git/logs/HEAD"),
        (f'{GIT}; echo "$CANARY" > f; git add f; rm f; git rm -q --cached f', "plain in git's objects in home/user/r/.git"),
        (f'{GIT}; echo "$CANARY" > f; git add f; git commit -qm x; git gc -q; rm f', "plain in git's objects in home/user/r/.git"),
    ],
)  # fmt: skip
async def test_in_files(sandbox: AsyncSandbox, e2b: E2B, command: str, found: str) -> None:
    secret = CANARY.partition("/")[2] if "name of a file" in found else CANARY
    assert given_away([secret], e2b.sandbox(sandbox.sandbox_id)) == []
    await sandbox.commands.run(command, envs={"CANARY": CANARY}, timeout=0)
    lines = await asyncio.to_thread(given_away, [secret, "another-canary"], e2b.sandbox(sandbox.sandbox_id))
    assert f"{secret[:12]}… {found}" in lines
    assert "another" not in str(lines)


@pytest.mark.parametrize(
    ("command", "envs"),
    [("exec sleep 60", {"TOKEN": f"u:{CANARY}"}), (f"exec sh -c 'sleep 60; : {CANARY}'", {})],
    ids=["environment", "command line"],
)
async def test_in_processes(sandbox: AsyncSandbox, e2b: E2B, command: str, envs: dict[str, str]) -> None:
    await sandbox.commands.run(command, envs=envs, background=True, timeout=0)
    await until(lambda: given_away([CANARY], e2b.sandbox(sandbox.sandbox_id)) == [f"{CANARY[:12]}… plain in a process"])
