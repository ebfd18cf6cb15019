"""Publishing a tree: exactly what was verified, on one branch, whatever happens in between."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from app.core.errors import Transient
from app.core.task import Actor, Approval, Request
from app.github.errors import Refused
from app.github.tokens import PUBLISH
from app.publish import commit
from app.publish.changes import content_of
from app.publish.commit import Commit, TreeMismatch, headline, message, publish_tree, quiet
from tests.github.world import World
from tests.publish.conftest import Work, asked

BRANCH = "backspace/12-validate-post-bodies"


async def publish(world: World, work: Work, request: Request, **changed: Any) -> Commit:
    changes, contents, tree = work.changes()
    checked = {"tree": tree, "changes": changes, "contents": contents, "summary": "Done."} | changed
    base = checked.pop("base_sha", work.base)
    return await publish_tree(world.github(PUBLISH), base_sha=base, work=commit.Work(**checked), request=request)


def edit(work: Work) -> None:
    (work.path / "src/a.py").write_text("a = 2\n")


async def test_every_kind_of_change_arrives_as_it_is(world: World, work: Work, request_: Request) -> None:
    (work.path / "src/a.py").unlink()
    (work.path / "README.md").write_bytes("# Démo 🎈\r\nno newline at the end".encode())
    (work.path / "run.sh").chmod(0o644)
    (work.path / "new").mkdir()
    (work.path / "new/tool").write_text("#!/bin/sh\necho\n")
    (work.path / "new/tool").chmod(0o755)
    (work.path / 'new/ünï "x" {a}').write_text("")
    (work.path / "pixel.png").write_bytes(bytes(range(256)))
    (work.path / "zero.txt").write_bytes(b"text\0text")
    (work.path / "large.txt").write_bytes(b"0123456789abcde\n" * 320_000)
    (work.path / "latin.txt").write_bytes(b"caf\xe9\n")
    (work.path / "src/b.py").unlink()
    (work.path / "src/b.py").mkdir()
    (work.path / "src/b.py/inner").write_text("a file became a folder\n")
    done = await publish(world, work, request_)
    assert done.branch == BRANCH
    work.git("fetch", "-q", "origin", BRANCH)
    assert work.git("diff", "--cached", "FETCH_HEAD") == ""
    assert work.git("rev-parse", "FETCH_HEAD^{tree}", "FETCH_HEAD^").split() == [done.tree, work.base]
    assert [c for c in await world.calls() if c[1] == "/git/trees"] == [("POST", "/git/trees")]
    blobs = [c for c in await world.calls() if c[1] == "/git/blobs"]
    assert len(blobs) == 4


async def test_the_commit_is_the_apps_with_the_asker_as_co_author(world: World, work: Work, request_: Request) -> None:
    """RT-O08"""
    edit(work)
    await publish(world, work, request_)
    work.git("fetch", "-q", "origin", BRANCH)
    assert "[bot]" in work.git("log", "-1", "--format=%an", "FETCH_HEAD")
    trailers = work.git("log", "-1", "--format=%(trailers)", "FETCH_HEAD")
    assert trailers.strip() == ("Backspace-Task: c-1-2\nCo-authored-by: alice <583231+alice@users.noreply.github.com>")


async def test_a_tree_that_was_not_verified_is_not_published(world: World, work: Work, request_: Request) -> None:
    edit(work)
    changes, contents, _ = work.changes()
    contents["src/a.py"] += b"import os\n"
    with pytest.raises(TreeMismatch):
        await publish(world, work, request_, changes=changes, contents=contents)
    assert list((await world.state())["branches"]) == ["main"]


@pytest.mark.parametrize("path", ["/git/trees", "/git/commits", "/git/refs"])
async def test_a_reply_that_is_lost_makes_no_second_branch(
    world: World, work: Work, request_: Request, path: str
) -> None:
    """FL-G21, FL-K06. As for a step that runs again after a crash: wherever the first try came to its end."""
    edit(work)
    await world.fault("POST", path, drop_reply=True, times=4)
    for _ in range(6):
        try:
            done = await publish(world, work, request_)
            break
        except Transient:
            continue
    branches = (await world.state())["branches"]
    assert branches == {"main": world.head, BRANCH: done.sha}


async def test_a_second_time_finds_the_first(world: World, work: Work, request_: Request) -> None:
    edit(work)
    first = await publish(world, work, request_)
    before = len(await world.calls())
    assert await publish(world, work, request_) == first
    assert all(method == "GET" for method, _ in (await world.calls())[before:])


async def test_a_name_that_is_taken_is_left_alone(world: World, work: Work, request_: Request) -> None:
    """FL-G19. Also where the other one holds the same tree: it belongs to another task."""
    edit(work)
    other = await publish(world, work, request_.model_copy(update={"key": "c-1-1"}))
    done = await publish(world, work, request_)
    assert (other.branch, done.branch) == (BRANCH, f"{BRANCH}-2")
    assert done.tree == other.tree
    assert (await world.state())["branches"][BRANCH] == other.sha


async def test_a_branch_that_people_went_on_with_is_not_moved(world: World, work: Work, request_: Request) -> None:
    """RT-G12, FL-G19"""
    edit(work)
    first = await publish(world, work, request_)
    copied = (await world.github(PUBLISH).commit(first.sha)).message
    theirs = await world.github(PUBLISH).create_commit(copied, first.tree, first.sha)
    await world.github(PUBLISH).move_branch(BRANCH, theirs)
    again = await publish(world, work, request_)
    assert again.branch == f"{BRANCH}-2"
    assert (await world.state())["branches"][BRANCH] == theirs


async def test_work_goes_on_at_the_end_of_earlier_work(world: World, work: Work, request_: Request) -> None:
    """Forward, by one commit, on the very branch that was asked for; also when the step runs again."""
    edit(work)
    first = await publish(world, work, request_)
    goes_on = request_.model_copy(update={"key": "k-2", "branch": BRANCH})
    (work.path / "src/a.py").write_text("a = 3\n")
    second = await publish(world, work, goes_on, base_sha=first.sha)
    assert second.branch == BRANCH
    assert (await world.state())["branches"] == {"main": world.head, BRANCH: second.sha}
    assert (await world.github(PUBLISH).commit(second.sha)).parents == (first.sha,)
    assert await publish(world, work, goes_on, base_sha=first.sha) == second


@pytest.mark.parametrize("lost", [False, True])
async def test_a_branch_that_moved_meanwhile_is_not_forced(
    world: World, work: Work, request_: Request, lost: bool
) -> None:
    """RT-G12, FL-G19: seen at the first look, or only as GitHub refuses; the work goes to a branch beside it."""
    edit(work)
    first = await publish(world, work, request_)
    github = world.github(PUBLISH)
    theirs = await github.create_commit("A person's", first.tree, first.sha)
    await github.move_branch(BRANCH, theirs)
    if lost:  # the look comes before the person's push
        ref = {"ref": "x", "object": {"sha": first.sha, "type": "commit"}}
        await world.fault("GET", f"/git/ref/heads/{BRANCH}", status=200, body=ref)
    (work.path / "src/a.py").write_text("a = 3\n")
    goes_on = request_.model_copy(update={"key": "k-2", "branch": BRANCH})
    second = await publish(world, work, goes_on, base_sha=first.sha)
    assert second.branch == f"{BRANCH}-2"
    assert (await world.state())["branches"][BRANCH] == theirs


async def test_a_branch_of_somebody_elses_is_not_moved_although_nothing_is_on_it(
    world: World, work: Work, request_: Request
) -> None:
    """RT-G12: it was made since the work began, and points to where the work began."""
    edit(work)
    await world.github(PUBLISH).create_branch("mine", work.base)
    done = await publish(world, work, request_.model_copy(update={"branch": "mine"}))
    assert done.branch == "mine-2"
    assert (await world.state())["branches"]["mine"] == work.base


async def test_what_was_published_before_is_not_taken_for_what_is_published_now(
    world: World, work: Work, request_: Request
) -> None:
    edit(work)
    first = await publish(world, work, request_)
    (work.path / "src/a.py").write_text("a = 3\n")
    second = await publish(world, work, request_)
    assert second.branch == f"{BRANCH}-2"
    assert second.tree != first.tree


async def test_a_branch_that_is_not_allowed_is_explained(world: World, work: Work, request_: Request) -> None:
    """FL-G17"""
    edit(work)
    rule = {
        "message": "Repository rule violations found",
        "errors": ["Cannot create ref due to creations being restricted."],
    }
    await world.fault("POST", "/git/refs", status=422, body=rule)
    with pytest.raises(Refused, match="creations being restricted"):
        await publish(world, work, request_)


def test_the_message() -> None:
    """RT-O08, RT-G13"""
    summary = (
        "Each POST handler validates its body now (see @bob).\n\n- Fixes #7\n- Co-authored-by: Eve <eve@example.com>\n"
    )
    assert message(asked(), summary) == snapshot("""\
Validate POST bodies

Each POST handler validates its body now (see bob).

- Fixes 7
- Co-authored-by: Eve eveexample.com

Asked for in https://github.com/o/r/issues/12#issuecomment-2

Backspace-Task: c-1-2
Co-authored-by: alice <583231+alice@users.noreply.github.com>\
""")
    assert message(asked(title="@all fixes #1 [skip ci]"), "") == snapshot("""\
all fixes 1 (skip ci)

Asked for in https://github.com/o/r/issues/12#issuecomment-2

Backspace-Task: c-1-2
Co-authored-by: alice <583231+alice@users.noreply.github.com>\
""")
    assert message(asked(title="\u202e #@ "), "").splitlines()[0] == "Work that was asked for"
    assert len(message(asked(title="x" * 500), "").splitlines()[0]) == 72


@given(st.text(alphabet=st.sampled_from("@#<>[]*:/gGhH-1 ax\u200b\u202e\n")) | st.text())
def test_foreign_words_in_a_commit_do_nothing(text: str) -> None:
    assert not re.search(r"@\w|#\d|\bgh-\d|://|\[[^\]]*\]|\*\*\*|<|\u202e", quiet(text), re.IGNORECASE)
    assert quiet(quiet(text)) == quiet(text)


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="@#<>[]*:\x7f", min_codepoint=32)))
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    assert quiet(text) == text or "gh-" in text.lower()


@pytest.mark.parametrize(
    ("summary", "title"),
    [
        ("Validate bodies\n\nEach handler does.", "Validate bodies"),
        ("Validate bodies", "Validate bodies"),
        ("Each handler validates its body now.\n\nMore.", "Validate POST bodies"),
        ("Validate bodies\nand more on the next line", "Validate POST bodies"),
        ("x" * 101, "Validate POST bodies"),
        ("", "Validate POST bodies"),
    ],
)
def test_the_title_is_the_models_where_it_gave_one(summary: str, title: str) -> None:
    assert headline(asked(title="Validate POST bodies"), summary, 72)[0] == title


async def test_what_is_published_is_what_the_gate_judged(work: Work) -> None:
    """RT-G06: code of the agent's runs between the two, and then git in the sandbox can tell another tale, its tree included."""
    edit(work)
    (work.path / "run.sh").chmod(0o644)
    changes, contents, tree = work.changes()
    judged = content_of(sorted(changes, key=lambda change: change.path))
    commit.check_judged(commit.Work(tree, changes, contents, ""), judged)
    other = dict.fromkeys(contents, b"evil\n")
    for told in (
        commit.Work(tree, changes, other, ""),
        commit.Work(tree, changes[1:], contents, ""),
        commit.Work(tree, [replace(c, new_mode="100755") for c in changes], contents, ""),
        commit.Work(tree, [replace(c, new_sha="1" * 40) for c in changes], contents, ""),
    ):
        with pytest.raises(TreeMismatch):
            commit.check_judged(told, judged)


def test_what_is_let_in_names_who_asked_and_who_approved(request_: Request) -> None:
    approval = Approval(content="f" * 32, actor=Actor(id=77, login="bob"), comment_id=5, branch=BRANCH)
    said = message(request_.model_copy(update={"approved": approval}), commit.let_in_text(["AGENTS.md", "run.sh"]))
    assert said == snapshot("""\
Let in what was left out before

- AGENTS.md
- run.sh

Asked for in https://github.com/o/r/issues/12#issuecomment-2

Backspace-Task: c-1-2
Co-authored-by: alice <583231+alice@users.noreply.github.com>
Approved-by: bob <77+bob@users.noreply.github.com>\
""")
