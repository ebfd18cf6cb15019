"""A run goes by what its steps have returned: here they all have, and what it does next is looked at."""

from typing import Any, cast

import pytest

from app.core.task import Actor, Approval, Repository, ThreadRequest
from app.runs.pipeline import NOT_THAT, Pipeline
from app.runs.steps import GONE

Json = dict[str, Any]
Step = tuple[str, Json]
REQUEST = ThreadRequest(
    key="c-1-2", repository=Repository(id=1, full_name="acme/api"), instruction="Do it", asked_at="2026-11-20T10:00:00Z", delivery="d",
    thread=3, actor=Actor(id=1, login="alice"), installation=4, comment_id=2,
)  # fmt: skip


class Bodies:
    """What steps do, where none is run."""

    def __getattr__(self, name: str) -> "Bodies":
        return self

    def __call__(self, *given: Any) -> "Bodies":
        return self


BODIES: Any = Bodies()


class Recorded:
    """A workflow whose steps were recorded before. `asked`: what each was given, beside its name."""

    id = "c-1-2.1"

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def step(self, name: str, body: Any) -> Json:
        recorded, output = self._steps.pop(0)
        assert name == recorded, f"after {[name for name, _ in self.asked]}"
        self.asked.append((name, body.args))
        return output

    async def outcome(self, request: ThreadRequest = REQUEST) -> tuple[str, str]:
        """And why. Fails where steps were recorded that the run does not take."""
        self._steps += [("end", {}), ("report", {})]
        await Pipeline(BODIES, BODIES, BODIES, BODIES, BODIES)(cast(Any, self), request.model_dump())
        assert self._steps == []
        _, _, _, outcome, why, *_ = next(given for name, given in self.asked if name == "end")
        return outcome, why

    def given(self, name: str) -> list[tuple[Any, ...]]:
        return [given for step, given in self.asked if step == name]


CALL = {"type": "tool_use", "id": "t", "name": "bash", "input": {"command": "make"}}
SPENT = {"turns": 1, "requests": 1, "tokens": 9, "usd": 0.1, "minutes": 0.1}


def gone(name: str) -> Step:
    return name, {"failed": GONE, "gone": True, "events": []}


def waits(name: str, tries: int = 1) -> Step:
    return name, {"waits": {"until": 0.0, "tries": tries}, "events": []}


def given_up(name: str) -> Step:
    return name, {"given_up": "bob", "events": []}


def begun(sandbox: str = "s1") -> list[Step]:
    return [("begin", {"stopped": None, "branch": "main", "start": "main"}), *cloned(sandbox), PREPARED]


def cloned(sandbox: str) -> list[Step]:
    return [("sandbox", {"sandbox": sandbox}), ("clone", {"base": "abc"})]


def renewed(sandbox: str, *, behind: bool = False) -> list[Step]:
    return [*cloned(sandbox), ("restore", {"problem": None, "told": "It was lost.", "behind": behind})]


def verified(failing: bool = False) -> Step:
    return "verify", {"checks": [], "failing": failing, "mend": False, "stopped": None, "on_base": []}


PREPARED: Step = ("prepare", {"first_message": "Do it.", "tests": ["make"], "problem": None})
CALLS: Step = ("turn", {"ended": None, "spent": SPENT, "stop_reason": "tool_use", "content": [CALL]})
DONE: Step = (
    "turn",
    {"ended": None, "spent": SPENT, "stop_reason": "end_turn", "content": [{"type": "text", "text": "Did it"}]},
)
RESULTS: Step = (
    "tools",
    {"ended": None, "minutes": 0.1, "results": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]},
)
GATED: Step = ("gate", {"refused": None, "tree": "t1", "changes": ["a"], "left_out": [], "touches_tests": False})
UNCHANGED: Step = ("gate", {"refused": None, "changes": [], "left_out": []})
COMMITTED: Step = ("commit", {"branch": "b", "commit": "c", "tree": "t1"})
PULLED: Step = ("pull", {"url": "https://github.com/acme/api/pull/9"})


async def test_calls_that_are_lost_with_their_sandbox_are_told_and_not_run_again() -> None:
    """FL-E02: the new one is of the same commit, whatever the branch is now."""
    run = Recorded(
        *begun(), CALLS, RESULTS, CALLS, gone("tools"), *renewed("s2"), DONE, GATED, verified(), COMMITTED, PULLED
    )
    assert await run.outcome() == ("ready", "")
    assert [given[-1] for given in run.given("sandbox")] == [False, True]
    assert [given[-1] for given in run.given("clone")] == [None, "abc"]
    _, talk = run.given("turn")[-1]
    lost = {"type": "tool_result", "tool_use_id": "t", "content": "It was lost.", "is_error": True}
    assert talk.messages[4] == {"role": "user", "content": [lost]}
    assert {given[1].sandbox for name in ("gate", "verify", "commit") for given in run.given(name)} == {"s2"}


async def test_a_new_sandbox_heeds_the_same_commit_of_the_default_branch() -> None:
    """RT-R01. A run that an earlier version began goes on as it began."""
    elsewhere = ("begin", {"stopped": None, "branch": "main", "start": "b", "rules": "r"})
    lost = [CALLS, gone("tools"), *renewed("s2"), DONE, UNCHANGED]
    for first, rules in ((elsewhere, "r"), (begun()[0], "")):
        run = Recorded(first, *begun()[1:], *lost)
        await run.outcome()
        assert [given[-2] for given in run.given("clone")] == [rules, rules]
        assert {given[1].rules for name in ("prepare", "restore") for given in run.given(name)} == {rules}


async def test_a_third_loss_ends_the_work_with_what_the_last_checkpoint_holds() -> None:
    losses = [step for n in (2, 3) for step in (CALLS, gone("tools"), *renewed(f"s{n}"))]
    end = [CALLS, gone("tools"), gone("gate"), *renewed("s4"), GATED, verified(), COMMITTED, PULLED]
    assert await Recorded(*begun(), *losses, *end).outcome() == ("failed", "The sandbox was lost 3 times.")


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ([gone("gate"), *renewed("s2"), GATED, verified(), COMMITTED, PULLED], "ready"),
        ([GATED, gone("verify"), *renewed("s2"), GATED, verified(), COMMITTED, PULLED], "ready"),
        ([GATED, verified(), gone("commit"), *renewed("s2"), GATED, verified(), COMMITTED, PULLED], "ready"),
        ([GATED, verified(), gone("commit"), *renewed("s2"), GATED, verified(failing=True), COMMITTED, PULLED], "draft"),
        ([GATED, gone("verify"), *cloned("s2"), gone("restore"), *renewed("s3"), GATED, verified(), COMMITTED, PULLED], "ready"),
        ([gone("gate"), *renewed("s2", behind=True), GATED, verified(), COMMITTED, PULLED], "failed"),
        ([GATED, verified(), gone("commit"), *renewed("s2"), UNCHANGED], "failed"),
        ([gone("gate"), gone("sandbox"), gone("sandbox"), gone("sandbox")], "failed"),
    ],
)  # fmt: skip
async def test_what_was_judged_in_a_lost_sandbox_is_judged_again_as_a_whole(steps: list[Step], outcome: str) -> None:
    assert (await Recorded(*begun(), DONE, *steps).outcome())[0] == outcome


async def test_a_sandbox_that_is_lost_before_the_work_is_made_again_twice() -> None:
    begin = begun()
    lost = [*cloned("s1"), gone("prepare")]
    run = Recorded(begin[0], *lost, *lost, *begin[1:], DONE, UNCHANGED)
    assert await run.outcome() == ("nothing", "Did it")
    assert await Recorded(begin[0], *lost, *lost, *lost).outcome() == ("failed", "The sandbox was lost 3 times.")


async def test_a_step_that_waits_is_taken_up_under_its_name() -> None:
    """FL-E01"""
    begin = begun()
    steps = [
        begin[0],
        waits("sandbox"),
        waits("sandbox", 2),
        *begin[1:],
        DONE,
        GATED,
        waits("verify"),
        verified(),
        waits("commit"),
        COMMITTED,
    ]
    run = Recorded(*steps, PULLED)
    assert await run.outcome() == ("ready", "")
    assert [given[0]["tries"] for given in run.given("sandbox")[1:]] == [1, 2]


async def test_a_stop_ends_a_wait_before_the_work_and_in_it() -> None:
    begin = begun()
    assert await Recorded(begin[0], waits("sandbox"), given_up("sandbox")).outcome() == ("stopped", "Stopped by bob.")
    work = [*begin, CALLS, waits("tools"), given_up("tools"), GATED, verified(), COMMITTED, PULLED]
    run = Recorded(*work)
    assert await run.outcome() == ("stopped", "Stopped by bob.")


async def test_the_work_of_a_stopped_run_is_waited_for() -> None:
    end = [
        CALLS,
        given_up("tools"),
        waits("gate"),
        GATED,
        waits("verify"),
        verified(),
        waits("commit"),
        COMMITTED,
        PULLED,
    ]
    run = Recorded(*begun(), *end)
    assert await run.outcome() == ("stopped", "Stopped by bob.")
    stoppable = {
        name: given[1] is not None
        for name, given in run.asked
        if given and isinstance(given[0], dict) and "until" in given[0]
    }
    assert stoppable == {"gate": False, "verify": False, "commit": False}


BEFORE: Step = (
    "approved",
    {"summary": "Did it", "cut_short": "", "url": "https://github.com/acme/api/pull/9", "via": "api"},
)
APPROVED = REQUEST.model_copy(
    update={
        "approved": Approval(content="f" * 32, actor=Actor(id=5, login="bob"), comment_id=7, branch="b"),
        "branch": "b",
    }
)
REFUSED: Step = ("gate", {"refused": None, "changes": [], "left_out": [{"path": "a", "reason": "x"}]})


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ([BEFORE, *begun(), GATED, verified(), COMMITTED, PULLED], ("ready", "")),
        ([BEFORE, *begun(), GATED, verified(failing=True), COMMITTED, PULLED], ("draft", "A check failed.")),
        ([(BEFORE[0], {**BEFORE[1], "cut_short": "Cut."}), *begun(), GATED, verified(), COMMITTED, PULLED], ("draft", "Cut.")),
        ([BEFORE, *begun(), REFUSED], ("failed", NOT_THAT)),
        ([BEFORE, begun()[0], *cloned("s1"), ("prepare", {"failed": "AGENTS.md has changed."})], ("failed", "AGENTS.md has changed.")),
        ([BEFORE, ("begin", {"stopped": "Stopped by @bob before it began."})], ("stopped", "Stopped by @bob before it began.")),
        ([BEFORE, *begun(), GATED, ("verify", {**verified()[1], "stopped": "@bob"})], ("stopped", "Stopped by @bob; nothing was let in.")),
        ([BEFORE, *begun(), gone("gate"), *renewed("s2"), GATED, verified(), COMMITTED, PULLED], ("ready", "")),
        ([("approved", {"failed": "What was approved is not kept any more."})], ("failed", "What was approved is not kept any more.")),
    ],
)  # fmt: skip
async def test_what_is_let_in_takes_no_turn_of_a_model(steps: list[Step], outcome: tuple[str, str]) -> None:
    """And where nothing is, the pull request is still named."""
    run = Recorded(*steps)
    assert await run.outcome(APPROVED) == outcome
    (end,) = run.given("end")
    assert end[5] == (BEFORE[1]["url"] if "url" in steps[0][1] else None)
