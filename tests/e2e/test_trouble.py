"""What goes wrong around a run: the person is told, the task ends, and nobody else's task suffers."""

import subprocess

from tests.e2e.lab import FIX, Lab, Repo, bash, until


def test_the_end_is_told_where_another_sandbox_can_not_be_read(repo: Repo) -> None:
    broken = repo.server.home / "sandboxes" / "other-1"
    broken.mkdir(parents=True)
    (broken / "sandbox.json").touch()
    try:
        issue = repo.ask({"tools": [FIX]}, {"text": "Greet with a comma"})
        assert "✅" in repo.finished(issue)
        assert not [s for s in repo.server.sandboxes() if list(s.rglob("greet.py"))]
    finally:
        (broken / "sandbox.json").unlink()
        broken.rmdir()


def test_a_comment_that_can_not_be_edited_holds_no_other_up(lab: Lab, repo: Repo) -> None:
    other = lab.repository(repo.server)
    fault = repo.fault(r"/issues/comments/\d+$", method="PATCH", status=422, times=1000)
    first = repo.ask({"tools": [bash("sleep 8")]}, {"text": "Nothing to do."})
    until(lambda: repo.ours(first))
    issue = other.ask({"tools": [bash("sleep 8")]}, {"text": "Nothing to do."})
    until(lambda: repo.hit(fault))
    until(lambda: "Working" in "".join(c["body"] for c in other.ours(issue)), 8, "the other comment's edit")


def test_a_stop_said_before_a_crash_ends_the_command_after_it(lab: Lab) -> None:
    server = lab.server("stopped")
    try:
        repo = lab.repository(server)
        issue = repo.ask({"tools": [bash("touch began; sleep 500", seconds=600)]}, {"text": "never asked"})
        until(lambda: [p for s in server.sandboxes() for p in s.rglob("repo/began")])
        server.kill()
        # The word is on disk, and the event that would have ended the command died with the process.
        say = "insert into inbox (task, word, actor, key) select key, 'stop', 'alice', 'c-1' from task"
        subprocess.run(["python3", "-c", f"import sqlite3; c = sqlite3.connect('backspace.db'); c.execute({say!r}); c.commit()"],
                       cwd=server.home, check=True)  # fmt: skip
        server.start()
        assert "Stopped" in repo.finished(issue, 20)
    finally:
        server.stop()


def test_a_file_name_that_is_no_utf8_is_shown_as_well_as_it_goes(lab: Lab, repo: Repo) -> None:
    def git(*args: str, stdin: bytes = b"") -> str:
        command = [
            "git",
            "--git-dir",
            str(lab.home / "github" / f"{repo.id}.git"),
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
        ]
        return subprocess.run([*command, *args], input=stdin, capture_output=True, check=True).stdout.decode().strip()

    blob = git("hash-object", "-w", "--stdin", stdin=b"x")
    listing = subprocess.run(
        ["git", "--git-dir", str(lab.home / "github" / f"{repo.id}.git"), "ls-tree", "-z", "main"], capture_output=True, check=True
    ).stdout  # fmt: skip
    tree = git("mktree", "-z", stdin=listing + f"100644 blob {blob}\t".encode() + b"caf\xe9.txt\0")
    git("update-ref", "refs/heads/main", git("commit-tree", "-p", "main", "-m", "An old name", tree))
    issue = repo.ask({"tools": [FIX]}, {"text": "Greet with a comma"})
    assert "✅" in repo.finished(issue)


def test_a_pull_request_that_github_does_not_take_leaves_the_branch_and_names_it(repo: Repo) -> None:
    repo.fault("/pulls$", method="POST", status=418, times=1000)
    issue = repo.ask({"tools": [FIX]}, {"text": "Greet with a comma"})
    comment = repo.finished(issue)
    (branch,) = [name for name in repo.branches() if name != "main"]
    assert "❌" in comment
    assert branch in comment
