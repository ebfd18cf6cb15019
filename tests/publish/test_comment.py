"""What people read in the status comment, state by state."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from app.core import events as e
from app.core.task import Actor, Repository, ThreadRequest
from app.publish.comment import MAX, done_reaction, marker, status
from app.publish.replies import refusal
from tests.publish.markdown import alive, folds_are_whole
from tests.publish.test_text import nasty

TASK = ThreadRequest(
    key="c-1234-900",
    delivery="d-1",
    installation=7,
    repository=Repository(id=1234, full_name="acme/api"),
    thread=12,
    actor=Actor(id=11, login="alice"),
    instruction="Validate all POST bodies\nand say why",
    title="Bad bodies crash the API",
    body="",
    comment_id=900,
    url="https://github.com/acme/api/issues/12#issuecomment-900",
    asked_at="2026-11-20T10:05:00Z",
)
PULL = "https://github.com/acme/api/pull/124"
TREE = "9f3c2e1" + "0" * 33


def show(
    *events: e.Event,
    now: float = 240.0,
    place: int = 0,
    task: ThreadRequest = TASK,
    patch_url: str | None = None,
    goes_on: bool = False,
    is_held: bool = False,
) -> str:
    """The comment after `now` seconds; the events were recorded one each ten seconds."""
    start = 1_800_000_000.0
    entries = [e.Entry(id=f"t.1.{n}.0", at=start + 10 * n, event=event) for n, event in enumerate(events)]
    return status(
        task,
        entries,
        now=start + now,
        place=place,
        is_held=is_held,
        server_url="https://github.com",
        limits_usd=2.0,
        patch_url=patch_url,
        goes_on=goes_on,
    )


WORK: tuple[e.Event, ...] = (
    e.StageBegan(stage="prepare"),
    e.StageBegan(stage="work"),
    e.AIMessage(message="Looking around."),
    e.CallsBegan(calls=("plan", "read api/routes.py")),
    e.Usage(tokens=4000, usd=0.1),
    e.Plan(
        steps=(
            e.PlanStep(text="Find the POST endpoints (3 in `api/routes.py`)", done=True),
            e.PlanStep(text="Tests for bad bodies, ask @bob", done=False),
        )
    ),
    e.ToolRead(filepath="api/routes.py"),
    e.ToolSearch(pattern="a|b", output=""),
    e.ToolEdit(filepath="api/models.py", old_str="x = 1\ny = 2\n", new_str="x = 1\ny = 3\nz = 4\n"),
    e.ToolBash(command="ruff check api | tail", output="All checks passed!\n[exit 0]"),
    e.Status(message="edit failed: old_str is not in api/models.py"),
)
GATED: tuple[e.Event, ...] = (
    *WORK,
    e.StageBegan(stage="gate"),
    e.Changed(tree=TREE, files=4, added=118, removed=9, diff="+x\n", touches_tests=False),
    e.StageBegan(stage="verify"),
)
PASSED = (
    e.Check(command="pytest -q", exit_code=0, output="....\n214 passed in 37.90s\n[exit 0]", seconds=38),
    e.Check(command="ruff check", exit_code=0, output="", seconds=1),
)
FAILED = e.Check(
    command="pytest -q", exit_code=1, output="FAILED test_a\n```\n</details>\n1 failed, 213 passed", seconds=41
)


def published(draft: bool = False, tree: str = TREE) -> tuple[e.Event, ...]:
    title = "Validate POST bodies, fixes #7"
    return (
        e.StageBegan(stage="publish"),
        e.Published(branch="backspace/12-bad-bodies", commit="c" * 40, tree=tree, number=124, title=title, draft=draft),
        e.PRCreated(pr_url=PULL),
    )


def test_starting() -> None:
    assert show() == snapshot("""\
<!-- backspace:c-1234-900 -->

### ⏳ Starting
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)\
""")


def test_waiting() -> None:
    assert show(place=2) == snapshot("""\
<!-- backspace:c-1234-900 -->

### ⏳ Waiting: second in line
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

Starts when the work before it is over. `/backspace stop` takes it back.\
""")
    assert "### ⏳ Waiting: next in line" in show(place=1)
    assert "### ⏳ Waiting: number 7 in line" in show(e.StageBegan(stage="queued"), place=7)


def test_waiting_for_others() -> None:
    assert show(is_held=True) == snapshot("""\
<!-- backspace:c-1234-900 -->

### ⏳ Waiting for a free slot
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

Starts when work elsewhere is over. `/backspace stop` takes it back.\
""")
    assert "### ⏳ Waiting: next in line" in show(is_held=True, place=1)


def test_preparing() -> None:
    assert show(e.StageBegan(stage="prepare"), e.Status(message="Installing what it needs"), now=14) == snapshot("""\
<!-- backspace:c-1234-900 -->

### ⚙️ Working: preparing
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

Installing what it needs

14 s · 0 turns · $0.00 of $2.00
`/backspace stop` stops it; what is done so far is kept.\
""")


def test_what_the_agent_was_not_told_is_said_while_it_works_and_after() -> None:
    """RT-T17"""
    one = (e.NotShown(count=2, why="no write access"), e.NotShown(count=1, why="later"))
    line = "Not shown to the agent: 2 comments by people without write access, 1 comment written or edited after the request."
    assert show(e.StageBegan(stage="prepare"), *one, e.StageBegan(stage="work")).splitlines()[-1] == line
    done = (*WORK, *one, *published(), e.Done(outcome="ready", pr_url=PULL))
    assert show(*done).splitlines()[-1] == line
    reasons: tuple[e.WhyNotShown, ...] = ("not asked", "bot", "older", "long", "hidden")
    others = (e.NotShown(count=n, why=why) for n, why in enumerate(reasons, 1))
    assert show(e.StageBegan(stage="prepare"), *others).splitlines()[-1] == (
        "Not shown to the agent: 1 comment by people whose access was not looked up, 2 comments by bots, "
        "3 older comments, the end of 4 long comments, hidden text."
    )


def test_working() -> None:
    assert show(*WORK, e.CallsBegan(calls=("bash pytest -q tests/api",)), now=151) == snapshot("""\
<!-- backspace:c-1234-900 -->

### ⚙️ Working: running commands
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

- [x] Find the POST endpoints (3 in `api/routes.py`)
- [ ] Tests for bad bodies, ask `@bob`

`pytest -q tests/api` · running for 41 s

<details><summary>The last steps</summary>

|  |  |  |
|---|---|---|
| read | `api/routes.py` |  |
| search | `a\\|b` |  |
| edit | `api/models.py` | \\+2 −1 |
| bash | `ruff check api \\| tail` | exit 0 |
| note | edit failed: old\\_str is not in api/models.py |  |

</details>

2 min · 1 turn · $0.10 of $2.00
`/backspace stop` stops it; what is done so far is kept.\
""")


def test_thinking_between_the_turns() -> None:
    assert "### ⚙️ Working: thinking" in show(*WORK)
    assert "running for" not in show(*WORK)


def test_only_the_last_eight_steps_are_shown() -> None:
    comment = show(*WORK, *(e.ToolRead(filepath=f"f{n}.py") for n in range(8)))
    assert "f0.py" in comment
    assert "api/models.py" not in comment


def test_checking() -> None:
    assert show(*GATED, PASSED[0]) == snapshot("""\
<!-- backspace:c-1234-900 -->

### ⚙️ Working: checking
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

- [x] Find the POST endpoints (3 in `api/routes.py`)
- [ ] Tests for bad bodies, ask `@bob`

| check |  |  |
|---|---|---|
| `pytest -q` | exit 0 | 214 passed in 37.90s, 38 s |

<details><summary>The last steps</summary>

|  |  |  |
|---|---|---|
| read | `api/routes.py` |  |
| search | `a\\|b` |  |
| edit | `api/models.py` | \\+2 −1 |
| bash | `ruff check api \\| tail` | exit 0 |
| note | edit failed: old\\_str is not in api/models.py |  |

</details>

4 min · 1 turn · $0.10 of $2.00
`/backspace stop` stops it; what is done so far is kept.\
""")


def test_ready() -> None:
    assert show(*GATED, *PASSED, *published(), e.Done(outcome="ready"), now=9999) == snapshot("""\
<!-- backspace:c-1234-900 -->

### ✅ [#124](<https://github.com/acme/api/pull/124>) Validate POST bodies, fixes `#7`
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

4 files, +118 −9 · checks passed on exactly what was published (`9f3c2e1`)

| check |  |  |
|---|---|---|
| `pytest -q` | exit 0 | 214 passed in 37.90s, 38 s |
| `ruff check` | exit 0 | 1 s |

3 min · 1 turn · $0.10 of $2.00
`/backspace <prompt>` asks again.\
""")


def test_ready_without_a_check_is_not_green() -> None:
    assert show(*GATED, *published(), e.Done(outcome="ready", pr_url=PULL)) == snapshot("""\
<!-- backspace:c-1234-900 -->

### 🟡 [#124](<https://github.com/acme/api/pull/124>) Validate POST bodies, fixes `#7`
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

4 files, +118 −9 · not checked: no check is known for this repository

2 min · 1 turn · $0.10 of $2.00
`/backspace <prompt>` asks again.\
""")


@pytest.mark.parametrize(
    ("checks", "tree"),
    [
        ((e.Check(command="npm test", exit_code=None, output="npm is not there"), PASSED[0]), TREE),
        ((FAILED,), TREE),
        (PASSED, "0" * 40),
    ],
)
def test_green_needs_every_check_seen_to_pass_on_the_published_tree(checks: tuple[e.Event, ...], tree: str) -> None:
    comment = show(*GATED, *checks, *published(tree=tree), e.Done(outcome="ready"))
    assert "✅" not in comment
    assert "checks passed" not in comment


def test_a_check_of_an_earlier_tree_does_not_count() -> None:
    again = show(*GATED, FAILED, e.StageBegan(stage="work"), *GATED, *PASSED, *published(), e.Done(outcome="ready"))
    assert "checks passed on exactly what was published" in again
    assert "exit 1" not in again


def test_what_was_left_out_of_an_earlier_tree_is_not_told_of_the_last() -> None:
    left = e.LeftOut(paths=(e.LeftOutPath(path="big.bin", reason="it has 9.0 MB"),), diff="")
    again = show(
        *GATED, left, FAILED, e.StageBegan(stage="work"), *GATED, *PASSED, *published(), e.Done(outcome="ready")
    )
    assert "big.bin" in show(*GATED, left, FAILED, *published(), e.Done(outcome="draft"))
    assert "big.bin" not in again


RULES = e.LeftOut(
    paths=(
        e.LeftOutPath(path="AGENTS.md", reason="agents take it for instructions"),
        e.LeftOutPath(path=".github/workflows/ci.yml", reason="workflow files need a person"),
    ),
    diff="+Greet everybody.\n",
    asked=("AGENTS.md",),
    approval="0123456789abcdef" * 2,
)
REST = e.LeftOut(paths=RULES.paths[1:], diff="+on: push\n")
ASKING = (*GATED[:-1], RULES, *PASSED, *published(), e.Done(outcome="ready", pr_url=PULL, via="api"))
APPROVED = e.Approved(by="bob", paths=("AGENTS.md",))
LET_IN = e.Changed(tree="7" * 40, files=1, added=1, removed=0, diff="+x\n", touches_tests=False)


def test_what_was_left_out_is_shown_with_the_words_that_let_it_in() -> None:
    assert show(*ASKING).split("\n\n", 4)[4] == snapshot("""\
⚠️ `AGENTS.md` was changed and not published: agents take it for instructions  \n\
⚠️ `.github/workflows/ci.yml` was changed and not published: workflow files need a person

<details><summary>What was left out</summary>

```diff
+Greet everybody.
```

</details>

To let in `AGENTS.md`, exactly as shown, somebody with write access comments here: `/backspace approve 0123456789abcdef0123456789abcdef`

3 min · 1 turn · $0.10 of $2.00
`/backspace <prompt>` asks again.\
""")


def test_approved_and_not_begun() -> None:
    assert show(*ASKING, goes_on=True) == snapshot("""\
<!-- backspace:c-1234-900 -->

### ⏳ Approved
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

What was left out is let in: the work so far is [#124](<https://github.com/acme/api/pull/124>).
Starts as soon as nothing else runs here. `/backspace stop` takes it back.

3 min · 1 turn · $0.10 of $2.00
`/backspace <prompt>` asks again.\
""")


def test_letting_it_in() -> None:
    begun = (*ASKING, APPROVED, e.StageBegan(stage="prepare"), e.Status(message="A sandbox is there."))
    assert show(*begun, now=330) == snapshot("""\
<!-- backspace:c-1234-900 -->

### ⚙️ Working: preparing
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

To be let in: `AGENTS.md`, approved by `bob`

A sandbox is there.

5 min · 1 turn · $0.10 of $2.00
`/backspace stop` stops it; what is done so far is kept.\
""")


def test_let_in() -> None:
    """The whole of both runs: what is in, what is still out, the checks of what there is now, and time that was worked."""
    began = 10 * len(ASKING)
    second = (APPROVED, e.StageBegan(stage="gate"), LET_IN, REST, PASSED[0], *published(tree=LET_IN.tree))
    told = show(*ASKING, *second, e.Done(outcome="ready", pr_url=PULL, via="api"), now=began + 999)
    assert told == snapshot("""\
<!-- backspace:c-1234-900 -->

### ✅ [#124](<https://github.com/acme/api/pull/124>) Validate POST bodies, fixes `#7`
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

5 files, +119 −9 · checks passed on exactly what was published (`7777777`)

Let in: `AGENTS.md`, approved by `bob`

| check |  |  |
|---|---|---|
| `pytest -q` | exit 0 | 214 passed in 37.90s, 38 s |

⚠️ `.github/workflows/ci.yml` was changed and not published: workflow files need a person

<details><summary>What was left out</summary>

```diff
+on: push
```

</details>

4 min · 1 turn · $0.10 of $2.00
`/backspace <prompt>` asks again.\
""")


@pytest.mark.parametrize(
    "second",
    [
        (),
        (e.StageBegan(stage="gate"),),
        (e.StageBegan(stage="gate"), LET_IN, FAILED),
    ],
)
def test_where_nothing_was_let_in_all_is_as_it_was(second: tuple[e.Event, ...]) -> None:
    """And can be approved again."""
    done = e.Done(outcome="failed", pr_url=PULL, message="It went wrong.", via="api")
    before, after = show(*ASKING), show(*ASKING, APPROVED, *second, done)
    assert "### ❌ Failed: the work so far is [#124]" in after
    assert "It went wrong." in after
    assert [part for part in before.split("\n\n")[2:-1] if part not in after] == []


def test_nobody_is_asked_to_approve_what_is_not_shown() -> None:
    empty = RULES.model_copy(update={"diff": ""})
    assert "/backspace approve" not in show(*GATED[:-1], empty, *PASSED, *published(), e.Done(outcome="ready"))
    hidden = RULES.model_copy(update={"approval": ""})
    assert "take it over by hand" in show(*GATED[:-1], hidden, *published(), e.Done(outcome="ready"))


def test_what_could_come_on_top_of_nothing_is_not_to_be_approved() -> None:
    assert "/backspace approve" not in show(*GATED[:-1], RULES, *PASSED, e.Done(outcome="failed"))
    alone = show(e.StageBegan(stage="gate"), RULES, e.Done(outcome="failed"))
    assert "/backspace approve" in alone


def test_a_failing_check_stays_in_sight_while_it_is_mended() -> None:
    assert "| exit 1 |" in show(*GATED, FAILED, e.StageBegan(stage="work"), e.CallsBegan(calls=("read a.py",)))


def test_draft_for_a_failing_check() -> None:
    left = e.LeftOut(
        paths=(e.LeftOutPath(path=".github/workflows/ci.yml", reason="workflow files need a person"),),
        diff="+on: push\n",
    )
    changed = e.Changed(tree=TREE, files=1, added=1, removed=0, diff="+x\n", touches_tests=True)
    done = e.Done(outcome="draft", pr_url=PULL, message="A check still fails after 3 tries.")
    base = e.Status(message="`pytest -q` fails on the base too.")
    assert show(
        *WORK, changed, left, e.StageBegan(stage="verify"), FAILED, base, *published(draft=True), done
    ) == snapshot("""\
<!-- backspace:c-1234-900 -->

### 😕 Draft [#124](<https://github.com/acme/api/pull/124>) Validate POST bodies, fixes `#7`
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

A check still fails after 3 tries.

1 file, +1 −0 · `pytest -q` failed on exactly what was published (`9f3c2e1`)
It touches tests or the settings of checks, so a green check proves less.

`pytest -q` fails on the base too.

| check |  |  |
|---|---|---|
| `pytest -q` | exit 1 | 1 failed, 213 passed, 41 s |

<details><summary>Last lines of a failed check</summary>

`pytest -q`

````
FAILED test_a
```
</details>
1 failed, 213 passed
````

</details>

⚠️ `.github/workflows/ci.yml` was changed and not published: workflow files need a person

<details><summary>What was left out</summary>

```diff
+on: push
```

</details>

3 min · 1 turn · $0.10 of $2.00
`/backspace <prompt>` asks again.\
""")


def test_a_draft_that_github_opened_as_ready_is_not_called_one() -> None:
    assert "### 😕 [#124]" in show(*GATED, FAILED, *published(draft=False), e.Done(outcome="draft", pr_url=PULL))


def test_draft_for_a_limit() -> None:
    done = e.Done(outcome="draft", message="The work reached its limit of $2.00.")
    comment = show(*GATED, *PASSED, *published(draft=True), done)
    assert "### 😕 Draft [#124]" in comment
    assert "The work reached its limit of $2.00." in comment


def test_nothing() -> None:
    said = e.AIMessage(message="The handlers validate **already**:\n- `api/models.py`, see https://evil.example/x")
    assert show(*WORK, said, e.Done(outcome="nothing", message=said.message)) == show(
        *WORK, said, e.Done(outcome="nothing")
    )
    assert show(*WORK, said, e.Done(outcome="nothing")) == snapshot("""\
<!-- backspace:c-1234-900 -->

### ➖ Nothing to change
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

The agent's own words, which nothing checked:

> The handlers validate **already**:
> - `api/models.py`, see `https://evil.example/x`

2 min · 1 turn · $0.10 of $2.00
`/backspace <prompt>` asks again.\
""")


def test_a_branch_without_its_pull_request() -> None:
    """FL-G17."""
    branch = e.Published(
        branch="backspace/12-bad-bodies",
        commit="c" * 40,
        tree=TREE,
        number=None,
        title="Validate",
        draft=False,
        compare_url="https://github.com/acme/api/compare/main...acme:backspace/12-bad-bodies?expand=1",
    )
    why = "Pull requests are for collaborators only. A person can open it, or with `gh pr create '--title=it'`."
    shown = show(*GATED, branch, e.Done(outcome="failed", message=why, via="link"))
    assert shown.split("\n\n")[1:3] == snapshot(
        [
            """\
### ❌ Failed: the work is on the branch [`backspace/12-bad-bodies`](<https://github.com/acme/api/compare/main...acme:backspace/12-bad-bodies?expand=1>)
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)\
""",
            "Pull requests are for collaborators only. A person can open it, or with `gh pr create '--title=it'`.",
        ]
    )


def test_a_patch_is_linked_where_people_reach_it() -> None:
    done = e.Done(outcome="failed", message="No branch may be made.", via="patch")
    link = "https://backspace.example/code/c-1234-900/patch?sig=ab"
    assert "The server keeps the whole change as a patch: ask its operator for it." in show(*GATED, done)
    assert f"[The whole change as a patch](<{link}>)" in show(*GATED, done, patch_url=link)
    ready = e.Done(outcome="ready", pr_url=PULL, via="api")
    assert link not in show(*GATED, *published(), ready, patch_url=link)
    assert "as a patch" not in show(*GATED, *published(), ready)


def test_stopped() -> None:
    assert show(*GATED, e.Done(outcome="stopped", message="Stopped by bob.")) == snapshot("""\
<!-- backspace:c-1234-900 -->

### 🛑 Stopped
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

Stopped by bob.

<details><summary>The change, not published</summary>

```diff
+x
```

</details>

2 min · 1 turn · $0.10 of $2.00
`/backspace <prompt>` asks again.\
""")
    kept = show(*GATED, *published(draft=True), e.Done(outcome="stopped", pr_url=PULL, message="Stopped by bob."))
    assert f"### 🛑 Stopped: the work so far is [#124](<{PULL}>)" in kept


def test_failed() -> None:
    why = "The model's key was refused: tell your operator."
    assert show(*WORK, e.Error(message=why), e.Done(outcome="failed")) == snapshot("""\
<!-- backspace:c-1234-900 -->

### ❌ Failed
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

The model's key was refused: tell your operator.

2 min · 1 turn · $0.10 of $2.00
`/backspace <prompt>` asks again.\
""")
    assert show(*WORK, e.Done(outcome="failed", message=why)) == show(
        *WORK, e.Done(outcome="failed", message=why), now=9999
    )


def test_stopped_before_it_began() -> None:
    assert show(e.Done(outcome="stopped", message="Stopped by bob.")) == snapshot("""\
<!-- backspace:c-1234-900 -->

### 🛑 Stopped
Validate all POST bodies · [asked](<https://github.com/acme/api/issues/12#issuecomment-900>) by [alice](<https://github.com/alice>)

Stopped by bob.\
""")


def test_the_reaction() -> None:
    assert done_reaction("ready") == "rocket"
    assert {done_reaction(outcome) for outcome in ("draft", "nothing", "stopped", "failed")} == {"confused"}


def test_refusal() -> None:
    assert refusal("carol", "read") == "`carol` has read access here; starting Backspace takes write access."
    assert refusal("carol", "none") == "`carol` has no access here; starting Backspace takes write access."


words = nasty | st.sampled_from(
    ["`" * 5000, "\u202e" * 3000, "&" * 9000, "| " * 4000, "x\n" * 9000, "/lgtm\n@bob\n" * 900]
)
small = st.integers(0, 300)
paths = st.builds(e.LeftOutPath, path=words, reason=words)
events: st.SearchStrategy[Any] = st.one_of(
    st.builds(e.Status, message=words),
    st.builds(e.AIMessage, message=words),
    st.builds(e.ToolRead, filepath=words),
    st.builds(e.ToolEdit, filepath=words, old_str=words, new_str=words),
    st.builds(e.ToolBash, command=words, output=words),
    st.builds(e.ToolSearch, pattern=words, output=words),
    st.builds(e.PRCreated, pr_url=words),
    st.builds(e.Plan, steps=st.lists(st.builds(e.PlanStep, text=words, done=st.booleans()), max_size=30).map(tuple)),
    st.builds(e.Check, command=words, exit_code=st.none() | small, output=words, seconds=st.floats(0, 1e6)),
    st.builds(e.Usage, tokens=small, usd=st.floats(0, 100)),
    st.builds(e.Error, message=words),
    st.builds(
        e.StageBegan, stage=st.sampled_from(("queued", "prepare", "work", "gate", "verify", "publish", "report"))
    ),
    st.builds(e.CallsBegan, calls=st.lists(words, max_size=9).map(tuple)),
    st.builds(
        e.LeftOut,
        paths=st.lists(paths, max_size=20).map(tuple),
        diff=words,
        asked=st.lists(words, max_size=20).map(tuple),
        approval=st.sampled_from(("", "a" * 32)),
    ),
    st.builds(e.Approved, by=words, paths=st.lists(words, max_size=20).map(tuple)),
    st.builds(e.Changed, tree=words, files=small, added=small, removed=small, diff=words, touches_tests=st.booleans()),
    st.builds(e.Published, branch=words, commit=words, tree=words, number=small, title=words, draft=st.booleans()),
)
ends = st.builds(
    e.Done,
    outcome=st.sampled_from(("ready", "draft", "nothing", "stopped", "failed")),
    pr_url=st.none() | words,
    message=words,
)


@settings(deadline=None, max_examples=60)
@given(some=st.lists(events, max_size=25), end=st.none() | ends, instruction=words, login=words, url=words)
def test_whatever_was_recorded_the_comment_is_short_whole_and_quiet(
    some: list[e.Event], end: e.Done | None, instruction: str, login: str, url: str
) -> None:
    """RT-O05, RT-O01, RT-G13"""
    task = TASK.model_copy(update={"instruction": instruction, "actor": Actor(id=1, login=login), "url": url})
    comment = show(*some, *([end] if end else []), task=task)
    assert len(comment) <= MAX
    assert comment.startswith(marker("c-1234-900") + "\n\n### ")
    assert folds_are_whole(comment)
    assert "`/backspace approve aaaa" not in comment or "<summary>What was left out" in comment
    ours = {f"#{event.number}"[:2] for event in some if isinstance(event, e.Published)}
    assert set(alive(comment)) <= ours


def test_the_longest_comment_keeps_its_head_and_its_foot() -> None:
    hard = "&`|<" * 5000
    steps = tuple(e.PlanStep(text=hard, done=False) for _ in range(50))
    rows = tuple(e.ToolBash(command="`" * 9000, output=f"[{'&' * 80}]") for _ in range(20))
    checks = tuple(e.Check(command="`" * 9000, exit_code=1, output="`" * 9000) for _ in range(20))
    left = e.LeftOut(paths=tuple(e.LeftOutPath(path="`" * 999, reason="&" * 999) for _ in range(99)), diff="`" * 99_999)
    changed = e.Changed(tree="t", files=1, added=1, removed=1, diff="`" * 99_999, touches_tests=True)
    for end in ((), (e.Done(outcome="failed", message=hard),)):
        comment = show(e.StageBegan(stage="work"), e.Plan(steps=steps), *rows, left, changed, *checks, *end)
        assert len(comment) <= MAX
        assert folds_are_whole(comment)
        assert comment.startswith(marker("c-1234-900") + "\n\n### ")
        assert "0 turns · $0.00 of $2.00" in comment


WAITS = e.Waiting(message="Waiting for E2B: the plan's limit of sandboxes at the same time is reached.", seconds=20)


def test_what_is_waited_for_is_shown_for_as_long() -> None:
    """FL-E01"""
    line = "Waiting for E2B: the plan's limit of sandboxes at the same time is reached · tried again in 15 s"
    assert line in show(e.StageBegan(stage="prepare"), WAITS, now=15)
    assert "Waiting for E2B" not in show(e.StageBegan(stage="prepare"), WAITS, now=31)
    assert "Waiting for E2B" not in show(
        e.StageBegan(stage="prepare"), WAITS, e.Status(message="A sandbox is there."), now=25
    )
    assert "Waiting for E2B" not in show(e.StageBegan(stage="prepare"), WAITS, e.Done(outcome="stopped"), now=25)
    calls = (e.StageBegan(stage="work"), e.CallsBegan(calls=("bash pytest -q",)))
    assert "`pytest -q`" not in show(*calls, WAITS, now=25)
    assert "`pytest -q` · running for 50 s" in show(*calls, WAITS, now=60)


def test_a_lost_sandbox_is_told_while_another_is_made_and_at_the_end() -> None:
    """FL-E02: the checks that are shown are those of the last sandbox."""
    told = e.Status(message="The sandbox has gone; a new one continues from the work after turn 3.")
    again = (e.StageBegan(stage="prepare"), told)
    assert told.message.replace(".", "") in show(*WORK, *again).replace(".", "")
    check = e.Check(command="pytest -q", exit_code=0, output="1 passed", seconds=1)
    comment = show(*GATED, check, *again, e.StageBegan(stage="gate"), *GATED[-2:], check, e.Done(outcome="failed"))
    assert "The sandbox was lost once; a new one went on from the last checkpoint." in comment
    assert comment.count("1 passed") == 1
    assert "lost" not in show(*GATED, check, e.Done(outcome="failed"))
