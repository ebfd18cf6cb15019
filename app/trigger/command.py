"""The grammar of a command: `/backspace` is the first token of a comment's first line; all that follows it is the prompt."""

import re
from dataclasses import dataclass
from typing import Literal

_COMMAND = re.compile(r" {0,3}/backspace(?=[ \t\r\n]|\Z)(.*)", re.DOTALL)
"""Four spaces would make it code; a `>` before it a quote."""

_LATER = re.compile(
    r"(?:status|retry|undo|continue(?: \+\$\d+(?:\.\d{1,2})?)?|approve(?: [0-9a-f]{4,64})?|plan(?:\s.*)?)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Command:
    kind: Literal["prompt", "stop", "help", "later"]
    text: str = ""
    """The prompt; for `later` the word."""


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
    if _LATER.fullmatch(control):
        return Command("later", control.split()[0])
    return Command("prompt", prompt)
