"""Blocks of Markdown that stay whole whatever is in them, and how numbers are said."""

from collections.abc import Mapping, Sequence

from app.core.events import Check, LeftOut, WhyNotShown
from app.publish.text import cell, inline_code, plain

_CHECKS = 10
_PATHS = 10
"""How many of each are named."""


def table(head: tuple[str, str, str], rows: Sequence[tuple[str, str, str]]) -> str:
    lines = [f"| {' | '.join(cell(part) for part in row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|---|---|---|", *lines[1:]]) if rows else ""


def folded(title: str, markdown: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{markdown}\n\n</details>" if markdown else ""


def check_table(checks: Sequence[Check]) -> str:
    return table(("check", "", ""), [_check_row(check) for check in checks[:_CHECKS]])


def _check_row(check: Check) -> tuple[str, str, str]:
    if check.exit_code is None:
        return inline_code(check.command), "not run", plain(check.output)
    lines = [line for line in check.output.splitlines() if line.strip() and not line.startswith("[exit ")]
    last = plain(lines[-1], 80) if lines else ""
    return (
        inline_code(check.command),
        f"exit {check.exit_code}",
        ", ".join(filter(None, [last, duration(check.seconds)])),
    )


def let_in(left: LeftOut) -> str:
    """How a person lets in what was left out; "" where nobody ever can."""
    if not left.asked:
        return ""
    if not left.approval:
        return "Not all of it can be shown, so that nobody can let it in by a comment: take it over by hand."
    command = inline_code(f"/backspace approve {left.approval}")
    return f"To let in {some_paths(left.asked)}, exactly as shown, somebody with write access comments here: {command}"


def some_paths(paths: Sequence[str]) -> str:
    """The first of them, and how many more."""
    more = len(paths) - _PATHS
    return ", ".join(map(inline_code, paths[:_PATHS])) + (f" and {more} more" if more > 0 else "")


def duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole == 0:
        return "under 1 s"
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def not_shown(counts: Mapping[WhyNotShown, int]) -> str:
    """What the model was not told, in one line."""
    if not counts:
        return ""
    return f"Not shown to the agent: {', '.join(_kept_back(n, why) for why, n in counts.items())}."


def _kept_back(n: int, why: WhyNotShown) -> str:
    comments = count(n, "comment")
    match why:
        case "no write access":
            return f"{comments} by people without write access"
        case "not asked":
            return f"{comments} by people whose access was not looked up"
        case "bot":
            return f"{comments} by bots"
        case "later":
            return f"{comments} written or edited after the request"
        case "older":
            return count(n, "older comment")
        case "long":
            return f"the end of {count(n, 'long comment')}"
        case "hidden":
            return "hidden text"
