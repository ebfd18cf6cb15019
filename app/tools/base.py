"""The tools the model has, in a fixed order, and how the calls of one turn are run."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Any

from app.sandbox.base import Sandbox
from app.tools.bash import Bash
from app.tools.edit import Edit
from app.tools.plan import MakePlan
from app.tools.read import Read
from app.tools.search import Search
from app.tools.tool import Tool, ToolResult, failure, misused, one_line, tail
from app.tools.write import Write

__all__ = ["TOOLS", "Tool", "ToolResult", "briefs", "definitions", "run_calls", "tail"]

AT_ONCE = 8
MOST = 20
"""Calls of one turn that are done."""
TOOLS: tuple[Tool[Any], ...] = (MakePlan(), Read(), Search(), Edit(), Write(), Bash())
NAMED = {tool.name: tool for tool in TOOLS}


@cache
def definitions() -> list[dict[str, Any]]:
    """The tools as the Messages API wants them; always the same bytes, as a cached prefix must be."""
    return [tool.definition for tool in TOOLS]


def briefs(calls: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """One short line for each call, for people."""
    return tuple(
        NAMED[call["name"]].brief(call["input"]) if call["name"] in NAMED else one_line(call["name"]) for call in calls
    )


async def run_calls(sandbox: Sandbox, prefix: str, calls: Sequence[Mapping[str, Any]]) -> list[ToolResult]:
    """Run the calls of one turn, the one at `index` under the key `<prefix>/<index>`; results in the calls' order.

    Neighbours that only read run together, the others alone and in order; those beyond the first 20 are not done, and say so.
    Raises SandboxGone and Transient.
    """
    results: list[ToolResult] = []
    for together in groups(calls[:MOST]):
        running = (_run(sandbox, f"{prefix}/{index}", calls[index]) for index in together)
        results += await asyncio.gather(*running)
    left = failure(f"Not done: one turn may make {MOST} calls. Ask for it again.")
    return results + [left] * len(calls[MOST:])


def groups(calls: Sequence[Mapping[str, Any]]) -> Iterator[list[int]]:
    """Which calls run at the same time, as indexes."""
    for reads, run in groupby(range(len(calls)), lambda index: reads_only(calls[index])):
        indexes, size = list(run), AT_ONCE if reads else 1
        yield from (indexes[at : at + size] for at in range(0, len(indexes), size))


def reads_only(call: Mapping[str, Any]) -> bool:
    """It changes no file."""
    return call["name"] in NAMED and NAMED[call["name"]].reads_only


async def _run(sandbox: Sandbox, key: str, call: Mapping[str, Any]) -> ToolResult:
    began = time.time()
    if call["name"] in NAMED:
        result = await NAMED[call["name"]].run(sandbox, key, call["input"])
    else:
        result = misused(f"There is no tool named {one_line(call['name'])}. There are: {', '.join(NAMED)}.")
    return replace(result, began=began, ended=time.time())
