"""Whole runs whose hands are in E2B, by its real SDK and against the stand-in."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2b_cloud.lab import E2B, e2b_cloud
from tests.e2b_cloud.search import given_away
from tests.e2e.lab import FILES, FIX, Json, Lab, Repo, Server, bash, hands_in, until

LOOK = "env; cat /proc/*/environ; cat .git/config; ls -la ~/.netrc ~/.ssh ~/.gitconfig"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[E2B]:
    with e2b_cloud(tmp_path_factory.mktemp("e2b")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def hosted(lab: Lab, cloud: E2B) -> Iterator[Server]:
    """A server with E2B's key; that alone makes E2B its sandbox."""
    yield (server := _hosted(lab, cloud))
    server.stop()


def _hosted(lab: Lab, cloud: E2B) -> Server:
    return lab.server("hosted", **hands_in(cloud))


@pytest.fixture
def repo(lab: Lab, hosted: Server, cloud: E2B) -> Iterator[Repo]:
    yield lab.repository(hosted)
    cloud.mend()


def test_a_comment_becomes_a_pull_request(cloud: E2B, repo: Repo) -> None:
    issue = repo.ask({"tools": [FIX, bash("python3 -m unittest -q")]}, {"text": "Greet with a comma"})
    assert "✅" in repo.finished(issue)
    (pull,) = repo.pulls()
    assert repo.file("greet.py", pull["head"]) == 'def greet(name):\n    return f"Hello, {name}!"\n'
    until(lambda: not cloud.sandboxes(), what="the sandbox's end")


def test_no_secret_is_in_the_sandbox_before_the_first_command_nor_at_the_end(cloud: E2B, repo: Repo) -> None:
    """RT-S01: the model looks for them too, and what it finds is kept in a file."""
    cloud.fault("^/sandboxes/", method="DELETE", hold=True)
    issue = repo.ask({"tools": [FIX, bash(f"({LOOK}) > ~/found 2>&1")], "delay": 2}, {"text": "Greet with a comma"})
    until(lambda: repo.asked(), what="the first turn")
    settings = repo.server.settings
    secrets = [settings[name] for name in ("ANTHROPIC_API_KEY", "GITHUB_WEBHOOK_SECRET", "E2B_API_KEY")]
    secrets += [settings["GITHUB_PRIVATE_KEY"].splitlines()[3], "x-access-token:", "ghs_"]
    (sandbox,) = cloud.sandboxes()
    assert sandbox["network"]["allowOut"][0] == "pypi.org"
    assert "127.0.0.1" not in sandbox["network"]["allowOut"]
    assert given_away(secrets, sandbox) == []
    until(lambda: _to_be_ended(cloud, sandbox["id"]), what="the sandbox's end")
    (sandbox,) = cloud.sandboxes()
    assert given_away(secrets, sandbox) == []
    assert "plain in home/user/found" in str(given_away(["BACKSPACE_OUTPUT"], sandbox))
    cloud.mend()
    repo.finished(issue)


def _to_be_ended(cloud: E2B, sandbox_id: str) -> bool:
    return any(request["method"] == "DELETE" for request in cloud.requests(sandbox=sandbox_id))


def test_a_server_killed_in_the_middle_of_a_command_goes_on_in_the_same_sandbox(cloud: E2B, repo: Repo) -> None:
    slow = bash("touch began; echo x >> effects; sleep 3; rm began")
    issue = repo.ask({"tools": [FIX, slow]}, {"text": "Greet with a comma"})
    (sandbox,) = until(cloud.sandboxes, what="a sandbox")
    until(Path(sandbox["disk"], "home/user/repo/began").exists, what="the command")
    repo.server.kill()
    repo.server.start()
    assert "✅" in repo.finished(issue)
    (pull,) = repo.pulls()
    assert repo.file("effects", pull["head"]) == "x\n"
    made = {r["path"].split("/")[3] for r in cloud.requests("/connect") if r["at"] > sandbox["started_at"]}
    assert made == {sandbox["id"]}
    assert cloud.sandboxes() == []


def test_trouble_with_e2b_passes(cloud: E2B, repo: Repo) -> None:
    """No room at first, then an answer that is lost, then dropped connections, then an end that fails."""
    cloud.fault("^/v2/sandboxes$", method="POST", status=429, body={"code": 429, "message": "Rate limit"}, times=4)
    cloud.fault("^/v2/sandboxes$", method="POST", drop_reply=True)
    cloud.fault("/Start$", status=502, body={"message": "bad gateway"}, times=2)
    cloud.fault("^/sandboxes/", method="DELETE", status=500)
    issue = repo.ask({"tools": [FIX, bash("python3 -m unittest -q")]}, {"text": "Greet with a comma"})
    assert "✅" in repo.finished(issue)
    assert len(repo.pulls()) == 1
    assert cloud.sandboxes() == []


def _vanishes_once(cloud: E2B, there: str) -> str:
    """Wait for this file in the only sandbox; then E2B loses it. Its id."""
    found = until(
        lambda: [s for s in cloud.sandboxes() if Path(s["disk"], "home/user", there).exists()],
        what=f"{there} in a sandbox",
    )
    cloud.order("vanish", found[0]["id"])
    return str(found[0]["id"])


def _push(repo: Repo, path: str = "later.txt", text: str = "later\n") -> None:
    """Another commit on the default branch."""
    home = repo.lab.home / "github"
    env = {
        "PATH": os.environ["PATH"],
        "GIT_DIR": str(home / f"{repo.id}.git"),
        "GIT_INDEX_FILE": str(home / f"{repo.id}.index"),
    }

    def git(*args: str, stdin: str = "") -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *args]
        return subprocess.run(command, env=env, input=stdin, text=True, capture_output=True, check=True).stdout.strip()

    git("read-tree", "main")
    git("update-index", "--add", "--cacheinfo", f"100644,{git('hash-object', '-w', '--stdin', stdin=text)},{path}")
    made = git("commit-tree", "-p", "main", "-m", "Later", git("write-tree"))
    git("update-ref", "refs/heads/main", made)


def test_a_run_outlives_its_sandboxes(lab: Lab, hosted: Server, cloud: E2B) -> None:
    """FL-E02: lost in a command and again in a check, while the branch has moved on."""
    check = "test: touch ~/checking; sleep 2; python3 -m unittest -q\n"
    setup = "setup: touch ~/set-up; echo ignored > set-up.log\n"
    repo = lab.repository(hosted, {**FILES, ".github/backspace.yml": setup + check, ".gitignore": "*.log\n"})
    odd = bash("chmod +x greet.py; printf '\\0' > 'odd name'; ls -l ~/set-up")
    issue = repo.ask(
        {"tools": [FIX, odd]},
        {
            "tools": [
                bash("echo lost > lost; touch ~/working; sleep 60"),
                {"name": "read", "input": {"path": "greet.py"}},
            ]
        },
        {"tools": [bash("ls; cat set-up.log greet.py; git log -1 --format=%H")]},
        {"text": "Greet with a comma"},
    )
    first = _vanishes_once(cloud, "working")
    _push(repo)
    second = _vanishes_once(cloud, "checking")
    comment = repo.finished(issue)
    assert first != second
    assert "✅" in comment
    assert "The sandbox was lost twice; a new one went on from the last checkpoint." in comment
    lost, after = [message["content"] for message in repo.asked()[-1]["body"]["messages"][4:7:2]]
    assert [block["is_error"] for block in lost] == [True, True]
    assert "the files as they were after turn 1" in lost[0]["content"]
    assert repo.base in str(after)
    assert "ignored" in str(after)
    assert "Hello, {name}!" in str(after)
    (pull,) = repo.pulls()
    assert repo.file("lost", pull["head"]) is None
    assert repo.file("odd name", pull["head"]) == "\0"
    assert cloud.sandboxes() == []


def test_a_sandbox_is_neither_made_twice_nor_left_behind(lab: Lab, cloud: E2B) -> None:
    """FL-K03: killed when the sandbox is there and its id not recorded. FL-E05: its end fails for long. FL-E04: what sleeps is woken."""
    server = _hosted(lab, cloud)
    try:
        repo = lab.repository(server)
        held = cloud.fault("^/v2/sandboxes$", method="POST", hold=True, after=True)
        issue = repo.ask({"tools": [FIX]}, {"text": "Greet with a comma"})
        until(lambda: cloud.hits(held) and cloud.sandboxes(), what="a sandbox")
        server.kill()
        (made,) = cloud.sandboxes()
        cloud.mend()
        cloud.order("pause", made["id"])
        cloud.fault("^/sandboxes/", method="DELETE", status=500, times=1000)
        server.start()
        assert "✅" in repo.finished(issue)
        assert [sandbox["id"] for sandbox in cloud.sandboxes()] == [made["id"]]
        server.kill()
        cloud.mend()
        server.start()
        until(lambda: not cloud.sandboxes(), what="the sandbox's end")
    finally:
        server.stop()
        cloud.mend()


def test_a_full_plan_is_waited_for_and_a_stop_ends_that_at_once(cloud: E2B, repo: Repo) -> None:
    """FL-E01"""
    cloud.ask("PUT", "plan", {"concurrent": 0})
    issue = repo.ask({"text": "Nothing to do."})
    waits = "Waiting for E2B: the plan's limit of sandboxes at the same time is reached · tried again in "
    until(lambda: waits in str(repo.ours(issue)), what="the line")
    repo.comment(issue, "/backspace stop")
    comment = repo.finished(issue, 15)
    assert "🛑 Stopped" in comment
    assert waits not in comment
    assert repo.asked() == []


def test_the_next_run_begins_with_the_set_up_of_the_last_one(lab: Lab, hosted: Server, cloud: E2B) -> None:
    """Unless it is another one now, or what was kept is gone."""
    config = "setup: echo x >> ~/set-ups; mkdir -p .venv; echo left > .venv/x\ntest: python3 -m unittest -q\n"
    repo = lab.repository(hosted, {**FILES, ".github/backspace.yml": config, "requirements.txt": "a\n"})
    look = bash("cat ~/set-ups .venv/x; git status --short; ls -A ~")

    def run() -> tuple[str, str]:
        """What the model was told, and what the sandbox was like."""
        issue = repo.ask({"tools": [look]}, {"text": "Nothing to do."})
        assert "Nothing to change" in repo.finished(issue)
        first, _, result = repo.asked()[-1]["body"]["messages"]
        return str(first), str(result["content"][0]["content"])

    told, cold = run()
    assert "exit 0" in told
    (state,) = _kept(cloud, repo)
    deleted = cloud.http.delete(f"/templates/{state['id']}", headers={"X-API-KEY": cloud.key})
    assert deleted.status_code == 204
    told, again = run()
    assert "exit 0" in told
    assert again == cold
    (state,) = _kept(cloud, repo)
    _push(repo)
    told, warm = run()
    assert f"Set-up kept from {repo.base[:7]}." in told
    assert warm == cold
    assert warm.startswith("x\nleft\n")
    _push(repo, "requirements.txt", "b\n")
    told, twice = run()
    assert "exit 0" in told
    assert twice.startswith("x\nx\nleft\n")
    assert _kept(cloud, repo)[0]["snapshot_of"] == state["snapshot_of"]


def _kept(cloud: E2B, repo: Repo) -> list[Json]:
    return [template for template in cloud.ask("GET", "templates") if str(template["name"]).endswith(f"-r{repo.id}")]
