from pydantic import BaseModel, Field

from app.core.events import ToolRead
from app.sandbox.base import Sandbox
from app.tools.tool import MAX_SHOWN, Tool, ToolResult, by_hand, short


class ReadInput(BaseModel):
    path: str = Field(min_length=1, max_length=4096, description="Path in the repository; a directory is listed.")
    offset: int = Field(1, ge=1, description="First line, counted from 1.")
    limit: int = Field(2000, ge=1, le=5000, description="Number of lines.")


class Read(Tool[ReadInput]):
    name = "read"
    reads_only = True
    takes = ReadInput

    def subject(self, given: ReadInput) -> str:
        return given.path

    async def act(self, sandbox: Sandbox, key: str, given: ReadInput) -> ToolResult:
        reply = await by_hand(sandbox, key, "read", given.model_dump())
        return ToolResult(reply["content"], False, (ToolRead(filepath=short(given.path, MAX_SHOWN)),))
