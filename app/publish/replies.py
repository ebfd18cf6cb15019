"""The one-line answers to a command that starts no work."""

from collections.abc import Sequence
from typing import Literal

from app.publish.text import inline_code, plain


def refusal(login: str, level: str) -> str:
    """To somebody who may not start work. `level`: the permission that the collaborator API named."""
    access = "no access" if level in ("", "none") else f"{plain(level)} access"
    return f"{inline_code(login)} has {access} here; starting Backspace takes write access."


def help_text(label: str) -> str:
    return (
        "`/backspace <prompt>` on the first line of a comment asks for work on this issue; it becomes a pull request.\n"
        f"The label {inline_code(label)} asks for the issue itself to be resolved. `/backspace stop` stops what runs here.\n"
        "`/backspace approve <hash>` lets in what was left out, where a status comment says so."
    )


def later_text(word: str) -> str:
    return f"{inline_code('/backspace ' + word)} does not work yet. `/backspace <prompt>` asks for work, `/backspace stop` stops it."


def approve_how_text() -> str:
    return "What is to be let in is named by 32 letters and digits: take the whole line from the status comment, or from the pull request."


def approve_unknown_text() -> str:
    return (
        "Nothing that was left out here is named so, or it is not kept any more. Say it on the issue or on the pull request, with the "
        "line that the status comment shows now."
    )


def approve_again_text() -> str:
    return "That is let in already."


def approve_which_text(pulls: Sequence[int]) -> str:
    named = " or ".join(f"#{n}" for n in pulls)
    return f"More than one piece of work here left that out: say it on the pull request that is meant, {named}."


def approve_alone_text() -> str:
    return "The rest of that work was not published, so there is nothing to put it on top of: ask for the work again."


def pull_request_text() -> str:
    return "Backspace does not work on pull requests yet: ask on an issue."


def closed_text() -> str:
    return "This issue is closed or locked. Open it, then ask again."


def nothing_to_stop_text() -> str:
    return "Nothing runs or waits here."


def full_text(login: str, scope: Literal["thread", "actor", "installation"]) -> str:
    """Of a request that was not taken, because too many are open already."""
    who = inline_code(login)
    match scope:
        case "thread":
            why = "One request is being worked on here and another already waits"
        case "actor":
            why = "As many requests as one person may have open are open already"
        case "installation":
            why = "As many requests as all repositories of this owner may have open are open already"
    return f"{why}, so that of {who} was not taken. Ask again when one is done; `/backspace stop` stops what runs and waits in an issue."


def missed_text(login: str) -> str:
    return f"A command of {inline_code(login)} was missed while Backspace was down, and can't be taken any more: say it again."


def unknown_text(login: str, why: str) -> str:
    return f"Nothing was started, for it could not be found out whether {inline_code(login)} has write access here. {plain(why)}"
