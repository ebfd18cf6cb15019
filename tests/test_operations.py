"""What an operator is told of the log is what the code writes to it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "operations.md").read_text()
ERRORS = ("error", "exception", "critical")


def messages(*levels: str) -> Iterator[str]:
    """First arguments of calls such as `log.error("…")` in our code."""
    for path in (ROOT / "app").rglob("*.py"):
        if "simulator" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(
                        func=ast.Attribute(value=ast.Name(id="log"), attr=level),
                        args=[ast.Constant(value=str(said)), *_],
                    ) if level in levels:
                        yield said


def alarms() -> list[str]:
    """Beginnings of messages, as the tables give them; "…" stands for the rest, or for a value."""
    section = DOCUMENT.partition("## Alarms\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def _is(alarm: str, message: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in alarm.split("…"))
    return re.fullmatch(pattern, message) is not None


def test_every_error_of_the_log_is_among_the_alarms() -> None:
    assert [said for said in messages(*ERRORS) if not any(_is(alarm, said) for alarm in alarms())] == []


def test_every_alarm_can_come() -> None:
    said = list(messages("warning", *ERRORS))
    assert len(said) > 30
    assert [alarm for alarm in alarms() if not any(_is(alarm, one) for one in said)] == []
