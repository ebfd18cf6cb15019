"""What a salvaged run ends with, by what its steps have returned; none of them is run here."""

from typing import Any, cast

import pytest

from app.runs.ground import Ground
from app.runs.salvage import GIVEN_UP, KEPT, LOST, NOTHING, WHY, Salvage
from app.runs.steps import GONE
from tests.runs.test_pipeline import BODIES, COMMITTED, GATED, REQUEST, UNCHANGED, Json, Step, gone, verified

URL = "https://github.com/acme/api/pull/9"
GROUND = Ground(run="c-1-2.2", request=REQUEST, branch="main", start="main", sandbox="", base="abc")
PUBLISHED: list[Step] = [GATED, verified(), COMMITTED, ("pull", {"url": URL, "via": "api"})]


def look(**more: Any) -> Step:
    found = {
        "request": REQUEST.model_dump(),
        "outcome": None,
        "url": None,
        "run": "c-1-2.1",
        "turn": 3,
        "behind": False,
    }
    return "look", found | {"ground": GROUND.model_dump()} | more


def laid(sandbox: str = "s1") -> list[Step]:
    return [("sandbox", {"sandbox": sandbox}), ("clone", {"base": "abc"}), ("restore", {"tests": ["make"]})]


class Recorded:
    """A workflow whose steps were recorded before. `end`: what its last event is to say."""

    id = "c-1-2.2"
    end: tuple[Any, ...] = ()

    def __init__(self, *steps: Step) -> None:
        self._steps = [*steps, ("report", {})]

    async def step(self, name: str, body: Any) -> Json:
        if name == "end":
            _, _, _, *self.end = body.args
            return {}
        recorded, output = self._steps.pop(0)
        assert name == recorded
        return output

    async def outcome(self, **more: Any) -> str:
        """Fails where steps were recorded that the run does not take."""
        salvage = Salvage(
            engine=BODIES, sandboxes=BODIES, checkpoints=BODIES, stages=BODIES, gating=BODIES, checking=BODIES, publishing=BODIES
        )  # fmt: skip
        spec = {"task": "c-1-2", "run": "c-1-2.1", "request": REQUEST.model_dump()}
        made = await salvage(cast(Any, self), spec | more)
        assert self._steps == []
        return str(made["outcome"])


@pytest.mark.parametrize(
    ("steps", "end"),
    [
        ([look(), *laid(), *PUBLISHED], ("draft", KEPT.format(turn=3), URL, "api")),
        ([look(behind=True), *laid(), *PUBLISHED], ("draft", LOST.format(turn=3), URL, "api")),
        ([look(ground=None)], ("failed", NOTHING, None, "")),
        ([("look", {"failed": "No."})], ("failed", "No.", None, "")),
        ([look(ground=None, url=URL)], ("failed", NOTHING, URL, "")),
        ([look(), *laid(), UNCHANGED], ("failed", NOTHING, None, "")),
        ([look(), *laid(), ("gate", {"refused": "Too much.", "changes": []})], ("failed", "Too much.", None, "")),
        ([look(), *laid(), gone("gate"), *laid("s2"), *PUBLISHED], ("draft", KEPT.format(turn=3), URL, "api")),
        ([look(), *laid(), gone("gate"), *laid("s2"), gone("gate")], ("failed", GONE, None, "")),
        ([look(), *laid(), GATED, verified(), ("commit", {"failed": "No."})], ("failed", "No.", None, "")),
        ([look(), *laid(), *PUBLISHED[:-1], ("pull", {"missing": "Open it.", "via": "link"})], ("failed", "Open it.", None, "link")),
    ],
)  # fmt: skip
async def test_what_there_is_is_published_and_told(steps: list[Step], end: tuple[Any, ...]) -> None:
    run = Recorded(*steps)
    outcome, why, *rest = end
    assert await run.outcome() == outcome
    assert tuple(run.end) == (outcome, f"{WHY} {why}", *rest)


async def test_a_run_that_broke_behind_its_last_event_is_told_as_that_says() -> None:
    run = Recorded(look(outcome="ready"))
    assert await run.outcome() == "ready"
    assert run.end == ()


async def test_the_last_of_them_only_says_so() -> None:
    run = Recorded()
    assert await run.outcome(is_last=True) == "failed"
    assert tuple(run.end) == ("failed", f"{WHY} {GIVEN_UP}", None, "")
