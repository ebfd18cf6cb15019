"""A run on the terminal: each event as a line or a block, as it is recorded. Works the same in a pipe.

On a terminal a few lines below them say what runs now. They go when the run ends; the lines above stay, to scroll back to and to copy from.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from app.core import clean
from app.core.events import (
    EVENT,
    AIMessage,
    Approved,
    CallsBegan,
    Changed,
    Check,
    Done,
    Entry,
    Error,
    Event,
    LeftOut,
    NotShown,
    Plan,
    PlanStep,
    PRCreated,
    Published,
    StageBegan,
    Status,
    ToolBash,
    ToolEdit,
    ToolRead,
    ToolSearch,
    Usage,
    Waiting,
)
from app.publish.blocks import count, duration, not_shown
from app.publish.view import View, view

OUTPUT_LINES = 6
"""Last lines of a command's output that are shown."""
STAGES = {
    "prepare": "Prepare: sandbox, clone, set-up",
    "work": "Work: ask, act, repeat",
    "verify": "Verify: the checks on exactly what will be published",
    "publish": "Publish: exactly what was checked",
}
DOING = {
    "queued": "waiting to start",
    "prepare": "preparing",
    "work": "working",
    "gate": "checking",
    "verify": "checking",
    "publish": "publishing",
    "report": "finishing",
}
PLAN_STEPS = 6
"""Steps of the plan that are shown at a time below the lines."""
MOVES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Screen:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._usd = 0.0
        self._turns = 0

    def show(self, event: Event) -> None:
        shown = self._render(harmless(event))
        if shown is not None:
            self._console.print(shown, soft_wrap=not self._console.is_terminal)

    def _render(self, event: Event) -> RenderableType | None:
        match event:
            case StageBegan(stage=stage) if stage in STAGES:
                return Text(f"\n── {STAGES[stage]}", style="bold cyan")
            case Status(message=message):
                return _line("·", message, "dim")
            case Error(message=message):
                return _line("✗", message, "red")
            case AIMessage(message=message):
                return Text(message, style="italic")
            case Plan(steps=steps):
                return Group(*(_step(step) for step in steps))
            case ToolRead(filepath=path):
                return _line("read", path)
            case ToolEdit(filepath=path, old_str=old, new_str=new):
                return _line("edit", f"{path}  +{len(new.splitlines())} −{len(old.splitlines())}")
            case ToolSearch(pattern=pattern):
                return _line("search", pattern)
            case ToolBash(command=command, output=output):
                return Group(_line("bash", command), _tail(output))
            case Check(command=command, exit_code=code, output=output, seconds=seconds):
                return _check(command, code, output, seconds)
            case Usage(usd=usd):
                self._usd, self._turns = usd, event.after(self._turns)
                return None
            case Changed(diff=diff, files=files, added=added, removed=removed):
                return self._diff(diff, f"{count(files, 'file')}, +{added} −{removed}")
            case LeftOut(paths=paths):
                return Group(*(_line("left out", f"{path.path}: {path.reason}", "yellow") for path in paths))
            case Approved(by=by, paths=paths):
                return _line("let in", f"{', '.join(paths)}, approved by {by}", "yellow")
            case NotShown(why=why, count=n):
                return _line("·", not_shown({why: n}), "dim")
            case Published(number=number, branch=branch, title=title, draft=draft):
                what = f"Branch {branch}" if number is None else f"Pull request #{number}"
                return _line("✓", f"{what}{' (draft)' if draft else ''}: {title}", "bold green")
            case Waiting(message=message, seconds=seconds):
                return _line("⏳", f"{message} Tried again in {duration(seconds)}.", "yellow")
            case PRCreated() | CallsBegan() | StageBegan():
                return None
            case Done(outcome=outcome, message=message):
                spent = f"{outcome} · {count(self._turns, 'turn')} · ${self._usd:.4f}"
                return _line("\n■", f"{spent} · {message}" if message else spent, "bold")
        return None

    def _diff(self, diff: str, what: str) -> RenderableType:
        """In a box for eyes; as it is for a pipe, where somebody may want to copy it."""
        diff = diff.rstrip("\n")
        if not self._console.is_terminal:
            return Text(f"{what}\n{diff}")
        syntax = Syntax(diff, "diff", background_color="default", word_wrap=True)
        return Panel(syntax, title=what, title_align="left")


class Footer:
    """What runs now, below the lines, where the console is a terminal. A context: behind it there is none."""

    def __init__(self, console: Console, keys: str) -> None:
        """`keys`: a line on what the keyboard does."""
        self._entries: list[Entry] = []
        self._keys = keys
        able = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(console=console, get_renderable=self._now, transient=True) if able else None

    def __enter__(self) -> "Footer":
        if self._live:
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def take(self, entry: Entry) -> None:
        self._entries.append(entry.model_copy(update={"event": harmless(entry.event)}))

    def _now(self) -> RenderableType:
        return now(view(tuple(self._entries)), time.time(), self._keys)


def now(seen: View, at: float, keys: str) -> RenderableType:
    """Where the run stands at this time, in Unix seconds: no line of it is longer than the terminal is wide."""
    spent = [DOING[seen.stage]]
    if seen.began is not None:
        spent += [count(seen.turns, "turn"), f"${seen.usd:.4f}", duration(at - seen.began)]
    calls = [_short(_line("…", f"{duration(at - seen.calls_at)} · {call}")) for call in seen.calls]
    head = _short(_line(MOVES[int(at * 4) % len(MOVES)], " · ".join(spent), "bold cyan"))
    return Group(Rule(style="dim"), head, *_part_of(seen.plan), *calls, _short(Text(keys, style="dim")))


def _part_of(plan: Sequence[PlanStep]) -> list[RenderableType]:
    """The steps around the first that is not done."""
    first = next((n for n, step in enumerate(plan) if not step.done), len(plan))
    start = max(0, min(first - 1, len(plan) - PLAN_STEPS))
    return [_short(_step(step)) for step in plan[start : start + PLAN_STEPS]]


def harmless(event: Event) -> Event:
    """Without what a terminal would obey, or nobody would see: the model, programs and files may say anything."""
    found: Event = EVENT.validate_python(_cleaned(event.model_dump()))
    return found


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return clean.characters(value).text
        case dict():
            return {key: _cleaned(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_cleaned(inner) for inner in value]
    return value


def as_json(entry: Entry) -> str:
    """One line for programs: the event as it goes over the wire, and its `id`. ASCII alone, so no terminal obeys it either."""
    return json.dumps({**entry.event.model_dump(), "id": entry.id})


def _short(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _step(step: PlanStep) -> Text:
    return _line("☑" if step.done else "☐", step.text, "blue")


def _line(mark: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{mark} ", style or "magenta"), (text, style))


def _tail(output: str) -> RenderableType:
    lines = output.rstrip().splitlines()
    return Text("\n".join(f"  {line}" for line in lines[-OUTPUT_LINES:]), style="dim")


def _check(command: str, code: int | None, output: str, seconds: float) -> RenderableType:
    if code is None:
        return _line("check", f"{command} · not run: {output}", "yellow")
    head = _line(
        "✓" if code == 0 else "✗", f"{command} · exit {code} · {seconds:.1f} s", "green" if code == 0 else "red"
    )
    return Group(head, _tail(output))


def addresses(rows: list[tuple[str, str]]) -> RenderableType:
    """Where to look, one a line."""
    table = Table.grid(padding=(0, 2))
    for name, url in rows:
        table.add_row(Text(name, style="dim"), Text(url, style="underline"))
    return table
