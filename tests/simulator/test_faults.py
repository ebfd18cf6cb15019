"""Faults on demand: what a test breaks, breaks as it would on the way to GitHub."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.simulator.conftest import GitHub


async def break_it(github: GitHub, path: str = "/comments$", **fault: Any) -> int:
    asked = {"method": "POST", "path": github.full_name + ".*" + path, **fault}
    made: int = (await github.sim("POST", "/faults", asked))["id"]
    return made


async def bodies(github: GitHub) -> list[str]:
    return [c["body"] for c in (await github.state())["issues"][0]["comments"]]


async def comment(github: GitHub, number: int, body: str) -> int:
    return (await github.rest("POST", f"/issues/{number}/comments", {"body": body})).status


async def test_a_status_stands_in_for_the_effect_as_often_as_asked(github: GitHub) -> None:
    number = await github.issue()
    limited = {"message": "You have exceeded a secondary rate limit."}
    fault = await break_it(github, status=403, body=limited, headers={"Retry-After": "7"}, times=2)
    replies = [await github.rest("POST", f"/issues/{number}/comments", {"body": str(n)}) for n in range(3)]
    assert [r.status for r in replies] == [403, 403, 201]
    assert (replies[0].body, replies[0].headers["Retry-After"]) == (limited, "7")
    assert await bodies(github) == ["2"]
    assert (await github.sim("GET", f"/faults/{fault}"))["hits"] == 2
    assert await github.violations() == []


async def test_a_lost_reply_leaves_its_effect(github: GitHub) -> None:
    number = await github.issue()
    await break_it(github, drop_reply=True)
    with pytest.raises(aiohttp.ClientError):
        await comment(github, number, "made")
    assert await bodies(github) == ["made"]


@pytest.mark.parametrize(("after", "seen_meanwhile"), [(False, []), (True, ["held"])])
async def test_a_request_is_held_before_or_after_its_effect(
    github: GitHub, after: bool, seen_meanwhile: list[str]
) -> None:
    number = await github.issue()
    fault = await break_it(github, hold=True, after=after)
    waiting = asyncio.create_task(comment(github, number, "held"))
    async with asyncio.timeout(5):
        while not (await github.sim("GET", f"/faults/{fault}"))["hits"]:
            pass
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    assert await bodies(github) == seen_meanwhile
    await github.sim("POST", f"/faults/{fault}/release")
    assert await waiting == 201
    assert await bodies(github) == ["held"]


async def test_a_fault_of_another_repository_is_not_ours(github: GitHub) -> None:
    await github.sim("POST", "/faults", {"path": "nobody/else", "status": 500})
    assert await comment(github, await github.issue(), "x") == 201
    assert (await github.call("POST", "/_sim/faults", {"path": "x", "sattus": 500})).status == 422
