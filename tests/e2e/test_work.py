"""What the work meets: bad replies, endless commands, failing checks, limits."""

import re
from itertools import pairwise

from tests.e2e.lab import FIX, Lab, Repo, bash, until

BREAK = {"name": "edit", "input": {"path": "greet.py", "old_str": '"Hello " + name', "new_str": '"Hello"'}}
MEND = {"name": "edit", "input": {"path": "greet.py", "old_str": '"Hello"', "new_str": 'f"Hello, {name}!"'}}


def test_a_reply_cut_in_a_tool_call_is_asked_again_and_never_run(repo: Repo) -> None:
    """FL-A04"""
    issue = repo.ask(
        {"tools": [bash("echo once >> count.txt")], "fault": {"kind": "cut_tool", "times": 2}},
        {"tools": [FIX]},
        {"text": "Greet with a comma"},
    )
    repo.finished(issue)
    (pull,) = repo.pulls()
    assert repo.file("count.txt", pull["head"]) == "once\n"


def test_a_command_that_never_ends_is_ended(repo: Repo) -> None:
    """RT-S07"""
    issue = repo.ask(
        {"tools": [bash("sleep 1000 & sleep 1000", seconds=1)]}, {"tools": [FIX]}, {"text": "Greet with a comma"}
    )
    repo.finished(issue)
    result = repo.asked()[1]["body"]["messages"][-1]["content"][0]
    assert "no end after 1 s" in result["content"]
    assert len(repo.pulls()) == 1


def test_ten_megabytes_of_output_come_as_head_and_tail(repo: Repo) -> None:
    """RT-D03, RT-S07"""
    issue = repo.ask(
        {"tools": [bash("echo first; head -c 10000000 /dev/zero | tr '\\0' x; echo; echo last")]},
        {"text": "Nothing to do."},
    )
    repo.finished(issue)
    content = repo.asked()[1]["body"]["messages"][-1]["content"][0]["content"]
    assert content.startswith("first")
    assert "last" in content[-100:]
    assert "bytes left out" in content
    assert len(content) < 35_000


def test_a_failing_check_goes_back_to_the_model_and_is_mended(repo: Repo) -> None:
    issue = repo.ask({"tools": [BREAK]}, {"text": "Greet shortly"}, {"tools": [MEND]}, {"text": "Greet with a comma"})
    comment = repo.finished(issue)
    (pull,) = repo.pulls()
    assert not pull["draft"]
    told = repo.asked()[2]["body"]["messages"][-1]["content"][-1]["text"]
    assert "python3 -m unittest -q" in told
    assert "AssertionError" in told
    assert "✅" in comment


def test_a_check_that_stays_red_is_a_draft_after_three_tries(repo: Repo) -> None:
    issue = repo.ask({"tools": [BREAK]}, *({"text": f"Try {n}"} for n in range(4)), {"text": "never asked"})
    comment = repo.finished(issue)
    (pull,) = repo.pulls()
    assert pull["draft"]
    assert len(repo.asked()) == 5
    assert "confused" in repo.reactions(issue)
    assert "exit 1" in comment
    assert "✅" not in comment


def test_a_check_that_failed_before_the_change_is_told_the_model_once(lab: Lab, repo: Repo) -> None:
    """And what the change breaks besides is still sent back."""
    checks = 'test: ["false", "test ! -e broken"]\n'
    other = lab.repository(repo.server, {"a.txt": "a\n", ".github/backspace.yml": checks})
    issue = other.ask(
        {"tools": [bash("touch broken")]},
        {"text": "Break it"},
        {"tools": [bash("rm broken; echo b > a.txt")]},
        {"text": "Say b"},
        {"text": "never asked"},
    )
    comment = other.finished(issue)
    (pull,) = other.pulls()
    assert pull["draft"]
    assert "`false` fails on the base too." in comment
    assert len(other.asked()) == 4
    told = other.asked()[2]["body"]["messages"][-1]["content"][-1]["text"]
    assert "$ false\n" in told
    assert told.count("and it fails on the base too]") == 1


def test_a_change_to_a_workflow_is_left_out_and_said(repo: Repo) -> None:
    """RT-G05"""
    write = {"name": "write", "input": {"path": ".github/workflows/ci.yml", "content": "on: pull_request_target\n"}}
    issue = repo.ask({"tools": [write, FIX]}, {"text": "Greet with a comma"})
    comment = repo.finished(issue)
    (pull,) = repo.pulls()
    assert repo.file(".github/workflows/ci.yml", pull["head"]) == "on: push\n"
    assert ".github/workflows/ci.yml" in comment
    assert "pull_request_target" in comment
    assert ".github/workflows/ci.yml" in pull["body"]


def test_a_check_that_can_not_run_is_not_run_never_green(lab: Lab, repo: Repo) -> None:
    other = lab.repository(repo.server, {"a.txt": "a\n", ".github/backspace.yml": "test: no-such-program --check\n"})
    issue = other.ask({"tools": [{"name": "write", "input": {"path": "a.txt", "content": "b\n"}}]}, {"text": "Say b"})
    comment = other.finished(issue)
    assert "not run" in comment
    assert "checks passed" not in comment
    assert len(other.pulls()) == 1


def test_a_limit_ends_the_work_and_keeps_it(lab: Lab) -> None:
    """RT-D02"""
    server = lab.server(BACKSPACE_TASK_TURNS="2")
    try:
        repo = lab.repository(server)
        issue = repo.ask({"tools": [FIX]}, {"tools": [bash("true")]}, {"tools": [bash("true")]})
        comment = repo.finished(issue)
        (pull,) = repo.pulls()
        assert pull["draft"]
        assert "limit of 2 turns" in comment
        assert "not run" in comment
    finally:
        server.stop()


def test_stop_ends_a_running_command_and_keeps_the_work(repo: Repo) -> None:
    issue = repo.ask({"tools": [FIX]}, {"tools": [bash("sleep 500", seconds=600)]}, {"text": "never asked"})
    until(lambda: len(repo.asked()) == 2)
    repo.comment(issue, "/backspace stop")
    until(lambda: "confused" in repo.reactions(issue), 20, "the stop")
    (pull,) = repo.pulls()
    assert pull["draft"]
    assert "Stopped" in repo.status(issue)
    assert "@alice" in repo.status(issue)


def test_a_second_request_waits_its_turn(repo: Repo) -> None:
    issue = repo.ask({"tools": [FIX, bash("sleep 3")]}, {"text": "Greet with a comma"})
    until(lambda: repo.ours(issue))
    repo.comment(issue, "/backspace now say goodbye too")
    until(lambda: len(repo.ours(issue)) == 2)
    assert "Waiting" in repo.ours(issue)[1]["body"]
    until(lambda: len(repo.pulls()) == 2, what="the second pull request")
    assert [p["head"] for p in repo.pulls()] == [
        f"backspace/{issue}-greet-politely",
        f"backspace/{issue}-greet-politely-2",
    ]


def test_what_the_sandbox_holds_no_secret_can_be_found_in(repo: Repo) -> None:
    """RT-S01"""
    look = "env; cat /proc/*/environ | tr '\\0' '\\n'; cat .git/config; ls -a ~; grep -rs ghs_ ~ . /tmp; true"
    issue = repo.ask({"tools": [bash(look)]}, {"text": "Nothing to do."})
    repo.finished(issue)
    seen = str(repo.asked()[1]["body"]["messages"])
    for secret in (repo.server.secret, repo.server.settings["ANTHROPIC_API_KEY"], "PRIVATE KEY", "[redacted]"):
        assert secret not in seen
    assert not re.search("ghs_[0-9]", seen)


def test_the_clone_token_is_revoked_before_the_first_turn(repo: Repo) -> None:
    issue = repo.ask({"tools": [bash("true")], "hold": True}, {"text": "Nothing to do."})
    until(lambda: repo.asked())
    (token,) = [t for t in repo.state()["tokens"] if "contents" in t["permissions"]]
    assert token["revoked"]
    repo.let_go()
    repo.finished(issue)


def test_who_lost_write_access_meanwhile_publishes_nothing(repo: Repo) -> None:
    issue = repo.ask({"tools": [FIX]}, {"text": "Greet with a comma", "hold": True})
    until(lambda: len(repo.asked()) == 2)
    repo.member("alice", "read")
    repo.let_go()
    comment = repo.finished(issue)
    assert repo.pulls() == []
    assert list(repo.branches()) == ["main"]
    assert "lost write access" in comment
    assert "Hello, {name}!" in comment, "the change is kept, folded in the comment"


def test_an_issue_closed_while_its_request_waited_is_left_alone(repo: Repo) -> None:
    issue = repo.ask({"tools": [bash("sleep 2")]}, {"text": "Nothing to do."})
    until(lambda: repo.asked())
    repo.comment(issue, "/backspace and again")
    repo.lab.call("PATCH", f"{repo.control}/issues/{issue}", state="closed")
    until(lambda: len(repo.ours(issue)) == 2 and "closed" in repo.ours(issue)[1]["body"])
    assert len(repo.asked()) == 2


def test_a_token_in_a_file_reaches_neither_the_model_nor_the_comment(repo: Repo) -> None:
    """RT-O02"""
    token = "ghp_" + "a1B2" * 10
    issue = repo.ask(
        {
            "tools": [
                bash(f"echo {token[:10]}{token[10:]} | tee key.txt; cat key.txt"),
                bash("cat key.txt >&2; rm key.txt; exit 1"),
            ]
        },
        {"text": "Nothing to do."},
    )
    comment = repo.finished(issue)
    results = [block["content"] for block in repo.asked()[1]["body"]["messages"][-1]["content"]]
    assert all("[redacted]" in result and token not in result for result in results)
    assert token not in comment


def test_no_two_edits_of_a_running_comment_within_ten_seconds(repo: Repo) -> None:
    """RT-D05"""
    issue = repo.ask({"tools": [bash("sleep 6")]}, {"tools": [bash("sleep 9")]}, {"text": "Nothing to do."})
    repo.finished(issue)
    (comment,) = repo.ours(issue)
    times = [body["at"] for body in comment["bodies"]]
    assert len(times) >= 3
    assert all(later - earlier >= 9.5 for earlier, later in pairwise(times[1:-1]))
    assert any("running for" in body["body"] for body in comment["bodies"])
