"""What a server's event loop does while the worst that may come comes, seen from inside of it (`watched/sitecustomize.py`)."""

import hashlib
import hmac
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.lab import Json, Lab, Server, bash, until

LARGEST = 25 << 20
"""Bytes of a delivery."""
ODD = "a\u200b"
"""Takes the search for secrets and for hidden text longest."""
FILES = {
    "make.py": f"""
import pathlib, sys
for n in range(1000):
    pathlib.Path(f"small{{n}}").write_bytes(b"%d gh_" % n * 400)
pathlib.Path("large").write_text({ODD!r} * 400_000)
for n in range(52):
    sys.stdout.write({ODD!r} * 250_000)
""",
    "odd.txt": f"{ODD * 900}\n" * 40,
}


@pytest.fixture
def watched(lab: Lab) -> Iterator[Server]:
    path = [str(Path(__file__).parent / "watched"), *filter(None, [os.environ.get("PYTHONPATH")])]
    server = lab.server("watched", PYTHONPATH=os.pathsep.join(path))
    assert server.process
    server.process.send_signal(signal.SIGUSR1)
    until(lambda: "the event loop is watched" in server.log)
    yield server
    server.stop()


def test_nothing_keeps_the_event_loop_from_its_work(lab: Lab, watched: Server) -> None:
    """FL-O10: no sleep, socket or database; nor 50 MB of output, secrets looked for in megabytes, thousands of changed files."""
    repo = lab.repository(watched, FILES)
    read = {"name": "read", "input": {"path": "odd.txt"}}
    repo.script(
        {"tools": [read] * 12},
        {"tools": [bash("python3 make.py")]},
        {"text": f"Much\n\n{ODD * 100_000}"},
        {"text": "Much"},
    )
    issue = repo.issue(body=ODD * 32_000)
    repo.comment(issue, f"/backspace add much\n{ODD * 32_000}")
    until(repo.asked)
    assert _deliver(watched, {"action": "created", "filler": [{"id": 7, "private": True}] * 900_000}) == 400
    repo.finished(issue, 100)
    assert "Blocking call" not in watched.log
    assert "the event loop was blocked" not in watched.log, watched.log


def _deliver(server: Server, payload: Json) -> int:
    body = json.dumps(payload).encode()
    assert LARGEST * 0.9 < len(body) <= LARGEST
    signature = "sha256=" + hmac.new(server.secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "issue_comment", "X-GitHub-Delivery": "d", "X-Hub-Signature-256": signature}
    more = {"Content-Type": "application/json"}
    return httpx.post(f"{server.url}/webhook", content=body, headers=headers | more, timeout=60).status_code
