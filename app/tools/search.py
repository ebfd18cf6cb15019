from pydantic import BaseModel, Field

from app.core.events import ToolSearch
from app.sandbox.base import Sandbox
from app.tools.tool import Tool, ToolResult, by_hand, short


class SearchInput(BaseModel):
    pattern: str = Field(min_length=1, max_length=1000, description="Python regular expression.")
    path: str = Field(".", max_length=4096, description="File or directory in the repository to search in.")
    glob: str = Field("", max_length=1000, description="Only files whose path or name it matches, such as *.py.")
    ignore_case: bool = False


class Search(Tool[SearchInput]):
    name = "search"
    reads_only = True
    takes = SearchInput

    def subject(self, given: SearchInput) -> str:
        return f"{given.pattern} {given.path if given.path != '.' else ''} {given.glob}"

    async def act(self, sandbox: Sandbox, key: str, given: SearchInput) -> ToolResult:
        reply = await by_hand(sandbox, key, "search", given.model_dump())
        return ToolResult(reply["content"], False, (ToolSearch(pattern=given.pattern, output=short(reply["content"])),))
