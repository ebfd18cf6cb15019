from pydantic import BaseModel, Field

from app.core.events import ToolEdit
from app.sandbox.base import Sandbox
from app.tools.tool import Tool, ToolResult, by_hand, short


class WriteInput(BaseModel):
    path: str = Field(min_length=1, max_length=4096, description="Path in the repository.")
    content: str = Field(max_length=2_000_000, description="The whole file.")


class Write(Tool[WriteInput]):
    name = "write"
    reads_only = False
    takes = WriteInput

    def subject(self, given: WriteInput) -> str:
        return given.path

    async def act(self, sandbox: Sandbox, key: str, given: WriteInput) -> ToolResult:
        reply = await by_hand(sandbox, key, "write", given.model_dump())
        event = ToolEdit(filepath=given.path, old_str=short(reply["old"]), new_str=short(given.content))
        return ToolResult(reply["content"], False, (event,))
