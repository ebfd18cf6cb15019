"""What the model is told: the request, the issue, what was said on it, the repository. Pure; the words stand in `prompts/`.

Outsiders' text stands in blocks whose delimiter holds a nonce, so that no text can close its block. Hidden text is taken out first: from
Markdown all that the page does not show; from titles and instruction files, whose comments people see, hidden characters; in names these
are shown.
"""

from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files

from app.core.clean import characters, markdown, shown
from app.core.events import Check, LeftOutPath
from app.core.task import Request, Words
from app.github.facts import ThreadComment

FILES_SHOWN = 400
INSTRUCTIONS_SHOWN = 20_000
"""Characters of one instruction file."""
OUTPUT_SHOWN = 6_000
"""Characters of a failed check's output."""


class Facts(Words):
    """What is known of the repository before the first turn."""

    base: str
    branch: str
    """The one that is checked out, at `base`."""
    files: tuple[str, ...]
    """Of `base`; instructions and tests are of the default branch."""
    instructions: dict[str, str]
    setup: str
    """How the set-up went, one line."""
    tests: tuple[str, ...]
    """The commands that the server will run."""


def _prompt(name: str) -> str:
    return (files("app.agent") / "prompts" / f"{name}.md").read_text()


def system() -> str:
    """The same for every task, so that its cached prefix serves them all."""
    return _prompt("system")


def first_message(request: Request, comments: Sequence[ThreadComment], facts: Facts, nonce: str) -> str:
    """The conversation's first user message. `nonce`: fresh random hex, unknown to whoever wrote the data."""
    names = [shown(path).replace("\n", "\\n") for path in facts.files[:FILES_SHOWN]]
    more = len(facts.files) - len(names)
    return _prompt("request").format(
        asked=_asked(request, nonce) + _comments(comments, nonce),
        instructions=_instructions(facts.instructions, nonce),
        base=facts.base,
        branch=facts.branch,
        setup=facts.setup,
        checks=", ".join(f"`{command}`" for command in facts.tests)
        or "none are known; find out how this project is tested",
        nonce=nonce,
        files="\n".join(names) + (f"\n… and {more} more" if more else ""),
    )


def _asked(request: Request, nonce: str) -> str:
    if request.actor is None:
        return _prompt("asked_directly").format(
            repository=request.repository.full_name, instruction=characters(request.instruction).text
        )
    return _prompt("asked_in_thread").format(
        actor=f"@{request.actor.login}",
        repository=request.repository.full_name,
        thread=request.thread,
        instruction=markdown(request.instruction).text,
        nonce=nonce,
        title=characters(request.title).text,
        body=markdown(request.body).text or "(no text)",
    )


def _comments(comments: Sequence[ThreadComment], nonce: str) -> str:
    shown = "".join(
        _prompt("comment").format(
            nonce=nonce,
            author=f"@{comment.login}",
            at=comment.created_at.strftime("%Y-%m-%d %H:%M"),
            text=markdown(comment.body).text,
        )
        for comment in comments
    )
    return _prompt("comments").format(comments=shown) if shown else ""


def hidden_in(request: Request, comments: Sequence[ThreadComment]) -> tuple[int, int]:
    """How many comments and hidden characters there are in what was said, which nobody sees and the model is not told."""
    instruction = (markdown if request.actor else characters)(request.instruction)
    said = (request.body, *(comment.body for comment in comments))
    parts = (instruction, characters(request.title), *map(markdown, said))
    return sum(part.comments for part in parts), sum(part.characters for part in parts)


def _instructions(texts: Mapping[str, str], nonce: str) -> str:
    return "".join(
        _prompt("instructions").format(path=path, nonce=nonce, text=_cut(characters(text).text))
        for path, text in texts.items()
    )


def _cut(text: str) -> str:
    """The ellipsis is where the redactor looks for the half of a secret."""
    return text if len(text) <= INSTRUCTIONS_SHOWN else f"{text[:INSTRUCTIONS_SHOWN]}…"


def checks_failed(checks: Sequence[Check], left_out: Sequence[LeftOutPath], on_base: Collection[str]) -> str:
    """What goes back to the model when checks did not pass. `on_base`: the commands that fail on the base too."""
    parts = [_failed(check, check.command in on_base) for check in checks if check.exit_code]
    kept = "\n".join(f"- {shown(p.path)}: {p.reason}" for p in left_out)
    return _prompt("checks_failed").format(
        checks="\n\n".join(parts),
        left_out=f"These changes are not published and were taken back:\n{kept}" if kept else "",
    )


def _failed(check: Check, on_base: bool) -> str:
    ended = f"[exit {check.exit_code}{', and it fails on the base too' if on_base else ''}]"
    return f"$ {check.command}\n{check.output[-OUTPUT_SHOWN:]}\n{ended}"


def sandbox_lost(turn: int | None) -> str:
    """The result of a call whose sandbox was lost. `turn`: the one after which the files are known; None where they are as cloned."""
    after = "at the beginning of the task" if turn is None else f"after turn {turn}"
    return _prompt("sandbox_lost").format(after=after).strip()
