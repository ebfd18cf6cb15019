"""What a run looks like on the terminal, in a pipe, and to a program."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from rich.console import Console

from app.core import events as e
from app.publish.view import view
from app.screen import Footer, Screen, as_json, harmless, now

DIFF = "--- a/greet.py\n+++ b/greet.py\n@@ -1 +1 @@\n-Hello\n+Hello,\n"
KEYS = "Ctrl-C stops the run and keeps the work"
RUN: tuple[e.Event, ...] = (
    e.StageBegan(stage="prepare"),
    e.Status(message="Cloned `main` at 1f2e3d4."),
    e.StageBegan(stage="work"),
    e.AIMessage(message="Look first, then add the comma."),
    e.Plan(steps=(e.PlanStep(text="Add the comma", done=True), e.PlanStep(text="Run the tests that there are", done=False))),
    e.Usage(tokens=1200, usd=0.0123),
    e.ToolRead(filepath="greet.py"),
    e.ToolEdit(filepath="greet.py", old_str="Hello", new_str="Hello,"),
    e.ToolBash(command="python -m unittest -q", output="1\n2\n3\n4\n5\n6\nOK\n[exit 0]"),
    e.Changed(tree="9f3c2e1", files=1, added=1, removed=1, diff=DIFF, touches_tests=False),
    e.StageBegan(stage="verify"),
    e.Check(command="python -m unittest -q", exit_code=0, output="OK", seconds=0.51),
    e.Check(command="ruff check", exit_code=None, output="ruff: not found"),
    e.Waiting(message="GitHub does not answer.", seconds=20),
    e.Published(branch="backspace/comma-k3x9", commit="c", tree="9f3c2e1", number=None, title="Greet with a comma", draft=False),
    e.Done(outcome="ready", via="branch"),
)  # fmt: skip


def entries(*events: e.Event) -> list[e.Entry]:
    """One each ten seconds."""
    return [e.Entry(id=f"t-1.1.{n}.0", at=1_800_000_000.0 + 10 * n, event=event) for n, event in enumerate(events)]


def console(width: int, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False)


def shown(events: tuple[e.Event, ...], width: int = 80, terminal: bool = False) -> str:
    out = console(width, terminal)
    screen = Screen(out)
    for event in events:
        screen.show(event)
    return written(out)


def written(out: Console) -> str:
    assert isinstance(out.file, io.StringIO)
    return "\n".join(line.rstrip() for line in out.file.getvalue().splitlines())


def test_a_pipe_gets_plain_lines() -> None:
    assert shown(RUN) == snapshot("""\

── Prepare: sandbox, clone, set-up
· Cloned `main` at 1f2e3d4.

── Work: ask, act, repeat
Look first, then add the comma.
☑ Add the comma
☐ Run the tests that there are
read greet.py
edit greet.py  +1 −1
bash python -m unittest -q
  3
  4
  5
  6
  OK
  [exit 0]
1 file, +1 −1
--- a/greet.py
+++ b/greet.py
@@ -1 +1 @@
-Hello
+Hello,

── Verify: the checks on exactly what will be published
✓ python -m unittest -q · exit 0 · 0.5 s
  OK
check ruff check · not run: ruff: not found
⏳ GitHub does not answer. Tried again in 20 s.
✓ Branch backspace/comma-k3x9: Greet with a comma

■ ready · 1 turn · $0.0123\
""")


def test_a_terminal_gets_the_diff_in_a_box() -> None:
    assert shown(RUN[9:10], 48, terminal=True) == snapshot("""\
╭─ 1 file, +1 −1 ──────────────────────────────╮
│ --- a/greet.py                               │
│ +++ b/greet.py                               │
│ @@ -1 +1 @@                                  │
│ -Hello                                       │
│ +Hello,                                      │
╰──────────────────────────────────────────────╯\
""")


def below(events: tuple[e.Event, ...], width: int, seconds: float) -> str:
    """The lines that say what runs now, so long after the first event."""
    found = entries(*events)
    out = console(width)
    out.print(now(view(found), found[0].at + seconds, KEYS))
    return written(out)


CALLS = e.CallsBegan(calls=("bash python -m unittest discover --start-directory tests --verbose", "read greet.py"))


def test_what_runs_now_stands_below() -> None:
    assert below((*RUN[:6], CALLS), 80, 101) == snapshot("""\
────────────────────────────────────────────────────────────────────────────────
⠼ working · 1 turn · $0.0123 · 1 min
☑ Add the comma
☐ Run the tests that there are
… 41 s · bash python -m unittest discover --start-directory tests --verbose
… 41 s · read greet.py
Ctrl-C stops the run and keeps the work\
""")


def test_a_narrow_terminal_cuts_and_never_wraps() -> None:
    assert below((*RUN[:6], CALLS), 32, 101) == snapshot("""\
────────────────────────────────
⠼ working · 1 turn · $0.0123 · …
☑ Add the comma
☐ Run the tests that there are
… 41 s · bash python -m unittes…
… 41 s · read greet.py
Ctrl-C stops the run and keeps …\
""")


def test_of_a_long_plan_the_part_is_shown_where_the_work_is() -> None:
    plan = e.Plan(steps=tuple(e.PlanStep(text=f"Step {n}", done=n < 10) for n in range(30)))
    seen = below((*RUN[:3], plan), 80, 30)
    assert [line for line in seen.splitlines() if "Step" in line] == snapshot(
        ["☑ Step 9", "☐ Step 10", "☐ Step 11", "☐ Step 12", "☐ Step 13", "☐ Step 14"]
    )


def test_before_the_first_event_something_moves_already() -> None:
    assert below((e.StageBegan(stage="queued"),), 40, 0) == snapshot("""\
────────────────────────────────────────
⠋ waiting to start
Ctrl-C stops the run and keeps the work\
""")


def test_when_the_run_is_over_the_lines_stay_and_the_rest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = console(60, terminal=True)
    screen = Screen(out)
    with Footer(out, KEYS) as footer:
        for entry in entries(*RUN):
            screen.show(entry.event)
            footer.take(entry)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert KEYS in text
    left = text[text.rindex(KEYS) + len(KEYS) :]
    assert "\x1b[2K" in left, "the lines below are erased"
    assert text.count("edit greet.py") == 1


def test_a_pipe_gets_nothing_that_moves() -> None:
    out = console(60)
    with Footer(out, KEYS) as footer:
        footer.take(entries(*RUN)[0])
    assert written(out) == ""


def test_nothing_that_is_shown_can_give_the_terminal_orders() -> None:
    evil = "\x1b]52;c;cm0gLXJm\x07\x1b[2J\u202egnp.exe\x9b31m\rcovered"
    seen = shown((e.AIMessage(message=evil), e.ToolBash(command=evil, output=evil)))
    assert not set("\x1b\x07\x9b\r\u202e") & set(seen)
    assert "gnp.exe" in seen


@given(st.text())
def test_every_event_is_one_line_of_json(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    (entry,) = entries(e.ToolBash(command=text, output=text))
    line = as_json(entry)
    assert "\n" not in line
    assert line.isascii()
    found = json.loads(line)
    assert next(iter(found)) == "type"
    assert found.pop("id") == entry.id
    assert e.EVENT.validate_python(found) == entry.event


@pytest.mark.parametrize("event", RUN, ids=lambda event: event.type)
def test_what_is_harmless_stays_as_it_is(event: e.Event) -> None:
    assert harmless(event) == event


@pytest.mark.parametrize(
    ("told", "turns"),
    [((None, None, None), "3 turns"), ((0, 0, 0), "0 turns"), ((0, 1, 1), "1 turn"), ((1, 2, 3), "3 turns")],
)
def test_a_request_that_got_no_reply_is_no_turn(told: tuple[int | None, ...], turns: str) -> None:
    """Release 0.1.0 recorded no number, and only after replies."""
    usage = [e.Usage(tokens=9, usd=0.01, turns=number) for number in told]
    assert f"{turns} · $0.0100" in shown((*usage, e.Done(outcome="failed")))
    assert view(entries(*usage)).turns == int(turns.split()[0])
