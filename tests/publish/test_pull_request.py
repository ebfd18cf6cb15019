"""The pull request: what it says, and that there is one."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from app.core.errors import Transient
from app.core.events import Check, LeftOutPath
from app.core.task import Request
from app.github.tokens import PUBLISH
from app.publish.commit import Commit
from app.publish.pull_request import NoCommits, Unopened, open_pull, title_and_body
from tests.github.world import World
from tests.publish.conftest import Work, asked
from tests.publish.test_commit import edit, publish

TREE = "9f3c2e1" + "0" * 33
PASSED = Check(command="pytest -q", exit_code=0, output="214 passed", seconds=38.2)
FAILED = Check(command="ruff check | cat", exit_code=1, output="src/a.py:1: E501\n@bob look ```", seconds=1)
NOT_RUN = Check(command="npm test", exit_code=None, output="npm is not there")


def body_of(request: Request | None = None, **changed: object) -> str:
    fields = {
        "summary": "Every POST handler validates its body now.\n\n- `api/models.py`: the models\n- the handlers answer 422",
        "why_draft": "",
        "checks": [PASSED],
        "left_out": [],
        "touches_tests": False,
        "tree": TREE,
    }
    return title_and_body(request or asked(), **{**fields, **changed})[1]  # type: ignore[arg-type]


def test_ready() -> None:
    assert body_of() == snapshot("""\
<!-- backspace:c-1-2 -->

### Why
@alice [asked for it](https://github.com/o/r/issues/12#issuecomment-2):

> Validate all POST bodies, and say what is wrong.

### What
In the model's words, which nothing has checked:

Every POST handler validates its body now.

- `api/models.py`: the models
- the handlers answer 422

### How it was checked
By the server, on exactly the tree that is published here (`9f3c2e1`).

| check | result |
|---|---|
| `pytest -q` | exit 0 · 38 s |

Fixes #12\
""")


def test_draft_with_everything_to_look_at() -> None:
    left_out = [LeftOutPath(path=".github/workflows/ci.yml", reason="workflow files need a person")]
    assert body_of(
        why_draft="A check fails.", checks=[PASSED, FAILED, NOT_RUN], left_out=left_out, touches_tests=True
    ) == snapshot("""\
<!-- backspace:c-1-2 -->

⚠️ **Draft:** A check fails.

### Why
@alice [asked for it](https://github.com/o/r/issues/12#issuecomment-2):

> Validate all POST bodies, and say what is wrong.

### What
In the model's words, which nothing has checked:

Every POST handler validates its body now.

- `api/models.py`: the models
- the handlers answer 422

### How it was checked
By the server, on exactly the tree that is published here (`9f3c2e1`).

| check | result |
|---|---|
| `pytest -q` | exit 0 · 38 s |
| `ruff check \\| cat` | exit 1 · 1 s |
| `npm test` | not run: npm is not there |

<details><summary>Last lines of a failed check</summary>

`ruff check | cat`

````
src/a.py:1: E501
@bob look ```
````

</details>

### Look at closely
- Tests, or what configures them, are changed here, so a check that passes proves less.
- Not part of this: `.github/workflows/ci.yml` (workflow files need a person)

Fixes #12\
""")


def test_by_a_label_without_checks_or_summary() -> None:
    assert body_of(asked(comment_id=None, instruction="Resolve this issue."), checks=[], summary=" \n") == snapshot("""\
<!-- backspace:c-1-2 -->

### Why
@alice [asked for it](https://github.com/o/r/issues/12#issuecomment-2) by a label.

### What
The model left no summary.

### How it was checked
Nothing was run: no check is known for this repository. The published tree is `9f3c2e1`.

Fixes #12\
""")


def test_what_the_model_writes_does_nothing() -> None:
    """RT-G13, RT-O01"""
    summary = (
        "Closes #99. Thanks @bob! ![x](https://evil.example/x.png) <!-- hidden --> <img src=x>\n/merge\n</details>"
    )
    assert body_of(summary=summary).split("### What\n")[1].split("###")[0] == snapshot("""\
In the model's words, which nothing has checked:

Closes `#99`. Thanks `@bob`! `![x](https://evil.example/x.png`) &lt;!-- hidden --&gt; &lt;img src=x&gt;
&#47;merge
&lt;/details&gt;

""")


FOREIGN = st.text(st.sampled_from("`|@#<\u202e\n x"), max_size=300).map(lambda s: s * 60)


@given(FOREIGN, FOREIGN, FOREIGN, FOREIGN)
@settings(max_examples=30, deadline=None)
def test_it_is_never_longer_than_github_takes(said: str, asked_for: str, output: str, path: str) -> None:
    failed = Check(command=output, exit_code=1, output=output)
    left_out = [LeftOutPath(path=path, reason=said)] * 300
    body = body_of(asked(instruction=asked_for), summary=said, checks=[failed] * 3, left_out=left_out, why_draft=said)
    assert len(body) <= 60_000
    assert body.endswith("Fixes #12")


def test_where_escapes_make_it_too_long_less_is_said() -> None:
    said = "<" * 20_000
    failed = [Check(command="make", exit_code=1, output="`" * 20_000)] * 6
    body = body_of(asked(instruction=said), summary=said, checks=failed, why_draft=said)
    assert 10_000 < len(body) <= 60_000


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Validate\nPOST  bodies", "Validate POST bodies"),
        ("Fixes #7 for @bob", "Fixes 7 for bob"),
        ("x" * 300, "x" * 255 + "…"),
        ("", "Validate all POST bodies, and say what is wrong."),
    ],
)
def test_the_title_is_a_line_that_does_nothing(title: str, shown: str) -> None:
    """RT-G09. Also as the commit's subject when it is squashed."""
    said = title_and_body(
        asked(title=title), summary="", why_draft="", checks=[], left_out=[], touches_tests=False, tree=TREE
    )
    assert said[0] == shown


@pytest.fixture
async def commit(world: World, work: Work, request_: Request) -> Commit:
    edit(work)
    return await publish(world, work, request_)


def offer(commit: Commit) -> dict[str, Any]:
    return {"title": "T", "body": "<!-- backspace:c-1-2 -->\n\nB", "head": commit.branch, "base": "main"}


async def test_a_pull_request_is_opened_once(world: World, commit: Commit) -> None:
    first, via = await open_pull(world.github(PUBLISH), **offer(commit), draft=True)
    assert (first.draft, first.state, first.base, via) == (True, "open", "main", "api")
    assert await open_pull(world.github(PUBLISH), **offer(commit), draft=True) == (first, "api")
    assert len((await world.state())["pulls"]) == 1


async def test_one_whose_reply_was_lost_is_found(world: World, commit: Commit) -> None:
    await world.fault("POST", "/pulls", drop_reply=True)
    with pytest.raises(Transient):
        await open_pull(world.github(PUBLISH), **offer(commit), draft=False)
    assert (await open_pull(world.github(PUBLISH), **offer(commit), draft=False))[1] == "api"
    assert len((await world.state())["pulls"]) == 1


async def test_one_that_appears_while_we_open_it_is_taken(world: World, commit: Commit) -> None:
    """FL-G16. The first look does not show it yet; it is another task's, whose branch this one goes on with."""
    first = await world.github(PUBLISH).create_pull(title="T", body="", head=commit.branch, base="main", draft=False)
    await world.fault("GET", "/pulls", status=200, body=[])
    assert await open_pull(world.github(PUBLISH), **offer(commit), draft=False) == (first, "existing")


async def test_one_that_people_closed_stays_closed(world: World, commit: Commit) -> None:
    first, _ = await open_pull(world.github(PUBLISH), **offer(commit), draft=False)
    await close(world, first.number)
    again, _ = await open_pull(world.github(PUBLISH), **offer(commit), draft=False)
    assert (again.number, again.state) == (first.number, "closed")
    assert len((await world.state())["pulls"]) == 1


async def test_one_of_an_earlier_branch_of_that_name_is_not_taken_for_this_tasks(world: World, commit: Commit) -> None:
    """It was merged or closed, the branch deleted, and the same asked for again."""
    old = await world.github(PUBLISH).create_pull(title="T", body="", head=commit.branch, base="main", draft=False)
    await close(world, old.number)
    made, via = await open_pull(world.github(PUBLISH), **offer(commit), draft=False)
    assert (made.number != old.number, made.state, via) == (True, "open", "api")


async def close(world: World, number: int) -> None:
    await world.control("PATCH", f"/repos/{world.repository.full_name}/issues/{number}", {"state": "closed"})


async def test_no_difference_is_said(world: World) -> None:
    await world.github(PUBLISH).create_branch("same", world.head)
    with pytest.raises(NoCommits, match="nothing to review"):
        await open_pull(world.github(PUBLISH), title="T", body="B", head="same", base="main", draft=False)


async def test_a_branch_is_deleted_as_it_was_left_and_in_no_other_state(world: World) -> None:
    """FL-G15"""
    github = world.github(PUBLISH)
    for name in ("ours", "ours-too"):
        await github.create_branch(name, world.head)
    await github.delete_branch("ours", "1" * 40)
    assert set((await world.state())["branches"]) == {"main", "ours", "ours-too"}
    for _ in range(2):
        await github.delete_branch("ours", world.head)
        assert set((await world.state())["branches"]) == {"main", "ours-too"}


@pytest.mark.parametrize("status", [403, 404, 422])
async def test_a_rule_against_pull_requests_is_named(world: World, commit: Commit, status: int) -> None:
    """FL-G17."""
    await world.fault("POST", "/pulls", status=status, body={"message": "Pull requests are for collaborators only."})
    with pytest.raises(Unopened, match="collaborators only" if status != 404 else "could not be opened"):
        await open_pull(world.github(PUBLISH), **offer(commit), draft=False)
    assert commit.branch in (await world.state())["branches"]


async def test_where_drafts_are_not_sold_it_is_opened_as_ready(world: World, commit: Commit) -> None:
    said = {"message": "Draft pull requests are not supported in this repository."}
    await world.fault("POST", "/pulls", status=422, body=said)
    pull, _ = await open_pull(world.github(PUBLISH), **offer(commit), draft=True)
    assert not pull.draft
