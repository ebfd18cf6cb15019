"""Whoever asks by `POST /code` and reads in a way of their own: a shell, a client that hangs up, anything that the description allows."""

import json
import re
import shutil
import socket
import subprocess
from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import ignored_auth, missing_required_header

from app.web.openapi import description
from tests.command import ROOT
from tests.e2e.lab import FIX, Json, Lab, Repo, Server, bash, until
from tests.web.test_described import STRICTER

READ = {"name": "read", "input": {"path": "greet.py"}}
SIX = ["Status", "AI Message", "Tool: Read", "Tool: Edit", "Tool: Bash", "PR Created"]
HANG_UPS = 3


def readme(repo: Repo) -> str:
    """Its command, for this repository and this server, which wants no key."""
    found = re.search(r"```sh\n(curl .*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found
    theirs = {
        "http://127.0.0.1:8000": repo.server.url,
        "https://github.com/OWNER/NAME": f"{repo.lab.url}/{repo.full_name}",
    }
    command = found[1]
    for name, ours in theirs.items():
        assert name in command
        command = command.replace(name, ours)
    return command


def by_curl(repo: Repo) -> list[Json]:
    done = subprocess.run(["sh", "-c", readme(repo)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line.removeprefix("data: ")) for line in done.stdout.splitlines() if line.startswith("data: ")]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_command_of_the_readme_shows_the_six_kinds_in_order_and_where_a_person_goes_on(repo: Repo) -> None:
    """FL-G17, for a program: no pull request may be opened, and `link` says that a person can."""
    turns: list[Json] = [
        {"text": "I look at the greeting first.", "tools": [READ]},
        {"tools": [FIX, bash("python3 -m unittest -q")]},
        {"text": "Greet with a comma"},
    ]
    repo.script(*turns)
    found = by_curl(repo)
    kinds = [kind for kind in dict.fromkeys(event["type"] for event in found) if kind in SIX]
    assert kinds == SIX
    assert (found[-1]["outcome"], found[-1]["via"]) == ("ready", "api")
    repo.fault("/pulls", method="POST", status=403, body={"message": "Pull requests are for collaborators only."})
    repo.script({"tools": [FIX]}, {"text": "Greet with a comma"})
    done = by_curl(repo)[-1]
    assert (done["type"], done["outcome"], done["via"]) == ("Done", "failed", "link")


def hang_up(repo: Repo, n: int) -> str:
    """Ask, and go away once it was answered: the task's address."""
    body = json.dumps({"repo_url": f"{repo.lab.url}/{repo.full_name}", "prompt": f"Look, {n}."})
    head = f"POST /code HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(repo.server.url).port or 0)) as raw:
        raw.sendall((head + body).encode())
        answer = raw.recv(4096).decode()
    found = re.search(r"\r\nLocation: (\S+)\r\n", answer)
    assert found, answer
    return found[1]


def test_who_hangs_up_at_once_has_asked_all_the_same_and_leaves_no_sandbox(repo: Repo) -> None:
    """RT-A09: each is a task like any other, which is paid for and ends."""
    repo.script({"text": "Nothing to do."})
    asked = {hang_up(repo, n) for n in range(HANG_UPS)}
    assert len(asked) == HANG_UPS
    until(lambda: len(repo.asked()) == HANG_UPS, what="the model to be asked for each")
    until(lambda: not repo.server.sandboxes(), what="the end of every sandbox")


@pytest.fixture(scope="module")
def archived(lab: Lab, server: Server) -> str:
    """The address of a repository that all of a request is looked at for, and in which nothing begins."""
    repo = lab.repository(server)
    lab.call("PATCH", repo.control, archived=True)
    return f"{lab.url}/{repo.full_name}"


described = schemathesis.openapi.from_dict(description())


@described.parametrize()
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_whole_server_answers_as_is_described(case: Case[Any], server: Server, archived: str) -> None:
    """RT-A08: what a desk in memory (tests/web/test_described.py) can't answer. It wants no key."""
    if isinstance(case.body, dict) and isinstance(case.body.get("repo_url"), str):
        case.body["repo_url"] = archived
    case.call_and_validate(base_url=server.url, excluded_checks=[*STRICTER, missing_required_header, ignored_auth])
