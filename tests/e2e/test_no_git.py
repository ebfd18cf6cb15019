"""No git runs on the server where the agent could have written: not by accident, and not by a line that somebody adds later."""

import ast
import json
import os
import secrets
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.lab import FILES, FIX, ROOT, Json, Lab, Repo, Server, bash

RECORDER = """#!{python} -IS
import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps({{"argv": sys.argv[1:], "cwd": os.getcwd(), "found": os.listdir(), "env": dict(os.environ)}}) + "\\n")
os.execv({git!r}, ["git", *sys.argv[1:]])
"""
TRAPS = bash(
    "git config core.fsmonitor ./trap; git config core.hooksPath .; git config filter.x.clean ./trap; git config diff.external ./trap; "
    "printf '#!/bin/sh\\ntouch /tmp/sprung\\n' | tee trap >.git/hooks/pre-push; chmod +x trap .git/hooks/pre-push; "
    "git init -q --bare nested; echo '* filter=x' >>.git/info/attributes; rm -r trap nested"
)
STARTING = {
    "app/core/apart.py": "Python, for one function of ours",
    "app/demo.py": "our own servers",
    "app/publish/gh.py": "gh, without a repository",
    "app/runs/by_path.py": "git in the asker's own repository, for `backspace run --repo`",
    "app/runs/fetched.py": "git in an empty bare repository of our own",
    "app/sandbox/calls.py": "the keeper",
    "app/sandbox/e2b_far.py": "the keeper, inside E2B",
    "app/sandbox/keeper.py": "commands of the sandbox, behind its walls",
    "app/sandbox/local.py": "chmod and rm",
    "app/simulator/git.py": "the simulator's own repositories",
    "app/simulator/projects/download.py": "pip, for the demo",
    "app/simulator/smart_http.py": "the simulator's own repositories",
    "app/tools/hands.py": "inside the sandbox",
}
"""Every file of ours that starts a process, and which."""


class Recorded:
    """A server that finds another git before the real one; commands in the sandbox have a PATH of their own."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.log = folder / "calls"
        self.log.touch()
        program = folder / "git"
        program.write_text(RECORDER.format(python=sys.executable, log=str(self.log), git=shutil.which("git")))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.path = f"{folder}:{os.environ['PATH']}"
        token = lab.call("POST", "/_sim/tokens", user=f"mona-{folder.name}"[:30].rstrip("-"))["token"]
        self.token = str(token)
        self.server: Server = lab.server("recorded", PATH=self.path, GITHUB_TOKEN=self.token)

    def calls(self) -> list[Json]:
        """Those since the last look."""
        found = [json.loads(line) for line in self.log.read_text().splitlines()]
        self.log.write_text("")
        return found


@pytest.fixture(scope="module")
def recorded(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield (made := Recorded(lab, tmp_path_factory.mktemp("recorder")))
    made.server.stop()


def test_under_the_app_no_git_runs_on_the_server(lab: Lab, recorded: Recorded) -> None:
    """RT-G01, RT-G03, RT-R06, RT-R12: whatever the agent leaves in its repository, what is published is made of data."""
    subprocess.run(["git", "--version"], env={"PATH": recorded.path}, check=True, capture_output=True)
    assert [call["argv"] for call in recorded.calls()] == [["--version"]], "the recorder records"
    repo = lab.repository(recorded.server)
    issue = repo.ask({"tools": [TRAPS, FIX]}, {"text": "Greet with a comma"})
    repo.finished(issue)
    assert len(repo.pulls()) == 1
    assert recorded.calls() == []


def test_under_a_token_git_runs_in_an_empty_repository_of_our_own(lab: Lab, recorded: Recorded) -> None:
    """RT-R07: it fetches there and checks nothing out; the token is in the environment of that one command."""
    name = f"r{secrets.token_hex(4)}"
    made = lab.call("POST", "/_sim/repos", owner=f"other-{name}", name=name, files=FILES)
    repo = Repo(lab, recorded.server, f"other-{name}/{name}", made["id"], made["head"])
    repo.script({"tools": [TRAPS, FIX]}, {"text": "Greet with a comma"})
    asked = {"repo_url": f"{lab.url}/{repo.full_name}", "prompt": "Add the comma."}
    reply = httpx.post(f"{recorded.server.url}/code", json=asked, timeout=60)
    assert '"PR Created"' in reply.text
    init, fetch = recorded.calls()
    assert init["argv"] == ["init", "-q", "--bare", "--template="]
    assert (init["found"], init["cwd"]) == ([], fetch["cwd"])
    assert f"--git-dir={fetch['cwd']}" in fetch["argv"]
    assert {"safe.bareRepository=explicit", "core.hooksPath=/dev/null", "protocol.allow=never"} <= set(fetch["argv"])
    for call in (init, fetch):
        assert call["env"]["HOME"] == call["cwd"] != str(recorded.server.home)
        assert (call["env"]["GIT_CONFIG_NOSYSTEM"], call["env"]["GIT_CONFIG_GLOBAL"]) == ("1", "/dev/null")
        assert recorded.server.settings["ANTHROPIC_API_KEY"] not in call["env"].values()
    assert "GIT_CONFIG_VALUE_0" in fetch["env"]
    assert "GIT_CONFIG_VALUE_0" not in init["env"]
    assert recorded.token not in str(fetch["argv"])
    assert not Path(fetch["cwd"]).exists()


def test_every_place_that_starts_a_process_is_known() -> None:
    """A new one is a decision: is it git, and in whose folder?"""
    files = [path for path in sorted((ROOT / "app").rglob("*.py")) if starts_processes(path)]
    assert [str(path.relative_to(ROOT)) for path in files] == sorted(STARTING)


def starts_processes(path: Path) -> bool:
    source = path.read_text()
    return any(word in source for word in ("process", "Popen", "os.", "pty")) and any(
        map(starts_one, ast.walk(ast.parse(source)))
    )


def starts_one(node: Any) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="subprocess"), attr=name):
            return name in ("Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput")
        case ast.Attribute(value=ast.Name(id="os"), attr=name):
            return name in ("system", "popen", "fork", "forkpty") or name.startswith(("exec", "spawn", "posix_spawn"))
        case ast.Attribute(attr=name) | ast.alias(name=name) | ast.Name(id=name):
            return name in (
                "create_subprocess_exec",
                "create_subprocess_shell",
                "subprocess_exec",
                "subprocess_shell",
                "Popen",
                "pty",
            )
    return False
