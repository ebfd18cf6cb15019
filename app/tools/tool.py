"""What a tool is: words for the model, a model of its input, and what it does in the sandbox."""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from app.core.clean import output as without_hidden
from app.core.events import Event, Status
from app.sandbox.base import Call, Result, Sandbox, Stream
from app.tools import hands

FILE_SECONDS = 60.0
MAX_SHOWN = 8_000
"""Characters of any one text in an event."""

INTERRUPTED = "interrupted, effect unknown: look at what is there before you do it again"
HANDS = Path(hands.__file__).read_text()

Input = TypeVar("Input", bound=BaseModel)


@dataclass(frozen=True)
class ToolResult:
    """`content` is for the model, `events` are for people."""

    content: str
    is_error: bool
    events: tuple[Event, ...]
    began: float = field(default=0.0, compare=False)
    """Unix seconds, as `ended`; a result is the same whenever it came."""
    ended: float = field(default=0.0, compare=False)
    misused: bool = False
    """There is no such tool, or it does not take what it was given."""


class Failed(Exception):
    """The call can't be done; the message tells the model what to do instead."""


class Tool(ABC, Generic[Input]):
    """A tool; its words are in the `.md` of its name beside it."""

    name: ClassVar[str]
    reads_only: ClassVar[bool]
    takes: type[Input]

    @property
    def definition(self) -> dict[str, Any]:
        """As the Messages API wants it."""
        words = Path(__file__).with_name(f"{self.name}.md").read_text().strip()
        return {"name": self.name, "description": words, "input_schema": plain(self.takes.model_json_schema())}

    def brief(self, given: Any) -> str:
        """One line for people, at most 80 characters."""
        try:
            subject = self.subject(self.takes.model_validate(given))
        except ValidationError:
            subject = ""
        return one_line(f"{self.name} {subject}")

    async def run(self, sandbox: Sandbox, key: str, given: Any) -> ToolResult:
        """Do it, once under this key. What can't be done is a result; raises SandboxGone and Transient alone."""
        try:
            return await self.act(sandbox, key, self.takes.model_validate(given))
        except ValidationError as error:
            return misused(f"{self.name}: {wrong(error)} Send {self._example()}.")
        except Failed as error:
            return failure(str(error), f"{self.brief(given)}: {str(error).splitlines()[0]}")

    def _example(self) -> str:
        fields = self.takes.model_fields.items()
        return "{" + ", ".join(f'"{name}": …' for name, field in fields if field.is_required()) + "}"

    @abstractmethod
    def subject(self, given: Input) -> str:
        """What the call is about, in few words."""

    @abstractmethod
    async def act(self, sandbox: Sandbox, key: str, given: Input) -> ToolResult: ...


async def by_hand(sandbox: Sandbox, key: str, do: str, request: dict[str, Any]) -> dict[str, Any]:
    """One request to the hands in the sandbox. Raises Failed."""
    stdin = json.dumps({**request, "do": do, "root": sandbox.repo}).encode()
    argv = ("python3", "-I", "-S", "-c", HANDS)
    result = await sandbox.run(Call(key, argv, FILE_SECONDS, stdin=stdin, keep=8 << 20))
    match result.ended:
        case "exited" if result.exit_code == 0 and result.stdout.whole:
            reply: dict[str, Any] = json.loads(result.stdout.head)
        case "exited":
            said = clean(result.stderr.head).strip().splitlines()[-1:]
            raise Failed(f"{do} did not work in the sandbox: {''.join(said)} Try it with bash.")
        case "deadline":
            raise Failed(f"No end after {FILE_SECONDS:.0f} s. Ask for less.")
        case "stopped":
            raise Failed("Stopped.")
        case "interrupted":
            raise Failed(INTERRUPTED[0].upper() + INTERRUPTED[1:] + ".")
    if "error" in reply:
        raise Failed(legible(reply["error"]))
    return {name: legible(value) for name, value in reply.items() if isinstance(value, str)}


def failure(words: str, shown: str | None = None) -> ToolResult:
    return ToolResult(words, True, (Status(message=short(shown or words, 300)),))


def misused(words: str) -> ToolResult:
    return replace(failure(words), misused=True)


def wrong(error: ValidationError) -> str:
    """What is wrong with an input, without repeating it."""
    if error.errors()[0]["type"] == "model_type":
        return "the input must be a JSON object."
    found = (f"`{'.'.join(str(part) for part in e['loc'])}`: {e['msg'].lower()}" for e in error.errors()[:5])
    return "; ".join(found) + "."


def clean(output: bytes) -> str:
    """What a terminal would have shown as text."""
    text = without_hidden(output.decode(errors="replace")).replace("\f", "")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def legible(text: str) -> str:
    """Text that can be sent: bytes that were no UTF-8 are written as `\\xff`."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def one_line(text: str) -> str:
    """At most 80 characters without a line end."""
    words = " ".join(text.split())
    return words if len(words) <= 80 else words[:79] + "…"


def short(text: str, limit: int = MAX_SHOWN) -> str:
    """The text, or as much of its head and tail as fits."""
    if len(text) <= limit:
        return text
    half = (limit - 5) // 2
    return f"{text[:half]}\n…\n{text[len(text) - half :]}"


def shown(stream: Stream) -> str:
    """A stream for the model: all of it, or head and tail, and where the whole is."""
    if stream.whole:
        return clean(stream.head)
    left_out = stream.size - len(stream.head) - len(stream.tail)
    return f"{clean(stream.head)}\n… {left_out:,} bytes left out; the whole is in {stream.path} …\n{clean(stream.tail)}"


def tail(result: Result, limit: int) -> str:
    """The end of what a command printed on stdout, at most `limit` characters."""
    text = shown(result.stdout).strip()
    return text if len(text) <= limit else "…" + text[-(limit - 1) :]


def plain(schema: Any) -> Any:
    """A JSON schema without the titles that pydantic makes of names."""
    if isinstance(schema, dict):
        return {k: plain(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
    return [plain(item) for item in schema] if isinstance(schema, list) else schema
