from pydantic import BaseModel, Field

from app.core.events import ToolEdit
from app.sandbox.base import Sandbox
from app.tools.tool import Failed, Tool, ToolResult, by_hand, short


class EditInput(BaseModel):
    path: str = Field(min_length=1, max_length=4096, description="Path in the repository.")
    old_str: str = Field(max_length=500_000, description="Text that is in the file exactly once, white space included.")
    new_str: str = Field(max_length=500_000, description="Text that takes its place.")
    replace_all: bool = Field(False, description="Replace every occurrence.")


class Edit(Tool[EditInput]):
    name = "edit"
    reads_only = False
    takes = EditInput

    def subject(self, given: EditInput) -> str:
        return given.path

    async def act(self, sandbox: Sandbox, key: str, given: EditInput) -> ToolResult:
        if not given.old_str:
            raise Failed("old_str is empty. Use write for a new file, or give the text after which something is added.")
        if given.old_str == given.new_str:
            raise Failed("old_str and new_str are the same: there is nothing to do.")
        reply = await by_hand(sandbox, key, "edit", given.model_dump())
        event = ToolEdit(filepath=given.path, old_str=short(given.old_str), new_str=short(given.new_str))
        return ToolResult(reply["content"], False, (event,))
