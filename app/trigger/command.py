"""The grammar of a command: `/backspace` is the first token of a comment's first line; all that follows it is the prompt."""

import re
from dataclasses import dataclass
from typing import Literal

_COMMAND = re.compile(r" {0,3}/backspace(?=[ \t\r\n]|\Z)(.*)", re.DOTALL)
"""Four spaces would make it code; a `>` before it a quote."""

_LATER = re.compile(r"(?:status|retry|undo|continue(?: \+\$\d+(?:\.\d{1,2})?)?|plan(?:\s.*)?)", re.DOTALL)
_APPROVE = re.compile(r"approve(?:\s+([0-9a-f]{32})\b.*|(?:\s+[0-9a-f]{4,64})?)", re.DOTALL)
"""Behind a whole one anything may follow: no prompt begins so, and thanks are no reason to work. A part of one approves nothing."""


@dataclass(frozen=True)
class Command:
    kind: Literal["prompt", "stop", "help", "approve", "later"]
    text: str = ""
    """The prompt; for `later` the word; for `approve` what is approved, or nothing."""


def parse(comment: str) -> Command | None:
    """The command that a comment gives, or None.

    A control word is one only where nothing else follows: "stop the clock from drifting" is a prompt. Case and a full stop do not
    matter to it (phones write "Stop."), for a run that should stop must not get a prompt instead.
    """
    found = _COMMAND.match(comment)
    if not found:
        return None
    prompt = found[1].strip()
    control = prompt.rstrip(".!").lower()
    if control in ("", "help"):
        return Command("help")
    if control == "stop":
        return Command("stop")
    if approval := _APPROVE.fullmatch(control):
        return Command("approve", approval[1] or "")
    if _LATER.fullmatch(control):
        return Command("later", control.split()[0])
    return Command("prompt", prompt)
