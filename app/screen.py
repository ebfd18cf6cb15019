"""A run on the terminal: each event as a line or a block, as it is recorded. Works the same in a pipe."""

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from app.core.events import (
    AIMessage,
    CallsBegan,
    Changed,
    Check,
    Done,
    Error,
    Event,
    LeftOut,
    Plan,
    PRCreated,
    Published,
    StageBegan,
    Status,
    ToolBash,
    ToolEdit,
    ToolRead,
    ToolSearch,
    Usage,
)

OUTPUT_LINES = 6
"""Last lines of a command's output that are shown."""
STAGES = {
    "prepare": "Prepare: sandbox, clone, set-up",
    "work": "Work: ask, act, repeat",
    "verify": "Verify: the checks on exactly what will be published",
    "publish": "Publish: commit, branch, pull request",
}


class Screen:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._usd = 0.0
        self._turns = 0

    def show(self, event: Event) -> None:
        shown = self._render(event)
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
                return Group(*(_line("☑" if step.done else "☐", step.text, "blue") for step in steps))
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
                self._usd, self._turns = usd, self._turns + 1
                return None
            case Changed(diff=diff, files=files, added=added, removed=removed):
                return self._diff(diff, f"{_count(files, 'file')}, +{added} −{removed}")
            case LeftOut(paths=paths):
                return Group(*(_line("left out", f"{path.path}: {path.reason}", "yellow") for path in paths))
            case Published(number=number, title=title, draft=draft):
                return _line("✓", f"Pull request #{number}{' (draft)' if draft else ''}: {title}", "bold green")
            case PRCreated() | CallsBegan() | StageBegan():
                return None
            case Done(outcome=outcome, message=message):
                spent = f"{outcome} · {_count(self._turns, 'turn')} · ${self._usd:.4f}"
                return _line("\n■", f"{spent} · {message}" if message else spent, "bold")
        return None

    def _diff(self, diff: str, what: str) -> RenderableType:
        """In a box for eyes; as it is for a pipe, where somebody may want to copy it."""
        if not self._console.is_terminal:
            return Text(f"{what}\n{diff}")
        syntax = Syntax(diff, "diff", background_color="default", word_wrap=True)
        return Panel(syntax, title=what, title_align="left")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _line(mark: str, text: str, style: str = "") -> RenderableType:
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
