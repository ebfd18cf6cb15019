from pydantic import BaseModel, Field

from app.core.events import ToolBash
from app.sandbox.base import Call, Result, Sandbox
from app.tools.tool import INTERRUPTED, Failed, Tool, ToolResult, short, shown

KEEP = 30_000
ENV = {
    "CI": "true",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
}


class BashInput(BaseModel):
    command: str = Field(min_length=1, max_length=100_000)
    seconds: float = Field(120, gt=0, le=600, description="Deadline.")


class Bash(Tool[BashInput]):
    name = "bash"
    reads_only = False
    takes = BashInput

    def subject(self, given: BashInput) -> str:
        return given.command

    async def act(self, sandbox: Sandbox, key: str, given: BashInput) -> ToolResult:
        if "\0" in given.command:
            raise Failed("A command can't hold a NUL character.")
        result = await sandbox.run(shell(key, given.command, given.seconds))
        end = f"[{ending(result, given.seconds)}]"
        output = shown(result.stdout).rstrip("\n")
        content = f"{output}\n{end}" if output else end
        event = ToolBash(command=short(given.command), output=short(content))
        return ToolResult(content, result.ended == "interrupted", (event,))


def shell(key: str, command: str, seconds: float) -> Call:
    """A command of the model's or the repository's: both streams as one, the repository's own environment first on PATH.

    Only here: what we run ourselves (git, the file tools) must not find programs that the agent put there.
    """
    script = f'export PATH="$HOME/venv/bin:$PATH"\nexec 2>&1\n{command}'
    return Call(key, ("bash", "-c", script), seconds, env=ENV, keep=KEEP)


def ending(result: Result, seconds: float) -> str:
    match result.ended:
        case "exited":
            return f"exit {result.exit_code}"
        case "deadline":
            return f"no end after {seconds:g} s: ended with everything it started"
        case "stopped":
            return "stopped, with everything it started"
        case "interrupted":
            return INTERRUPTED
