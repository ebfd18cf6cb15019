"""What the recorded events of a task amount to so far: the status comment's data, before any words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.core import events as e
from app.core.task import Stage

_LAST_LINE = re.compile(r"\[([^\[\]\n]{1,80})\]\s*\Z")


@dataclass(frozen=True)
class Row:
    """A step that is over: "bash", the command, "exit 0"."""

    verb: str
    what: str
    result: str = ""


@dataclass(frozen=True)
class Judged:
    """What gate and checks have said of one candidate."""

    changed: e.Changed | None
    checks: list[e.Check]
    on_checks: str
    left_out: e.LeftOut | None


@dataclass
class View:
    stage: Stage = "queued"
    began: float | None = None
    """When the first stage after the queue began, of the latest run."""
    earlier: float = 0.0
    """Seconds that the runs before it took."""
    last: float | None = None
    plan: tuple[e.PlanStep, ...] = ()
    calls: tuple[str, ...] = ()
    """What runs now."""
    calls_at: float = 0.0
    rows: list[Row] = field(default_factory=list)
    turns: int = 0
    usd: float = 0.0
    note: str = ""
    """The stage's latest line for people."""
    waiting: e.Waiting | None = None
    """What the last entry says."""
    said: str = ""
    """The model's latest words."""
    renewed: int = 0
    """Times that a lost sandbox was made anew: it is prepared again."""
    not_shown: dict[e.WhyNotShown, int] = field(default_factory=dict)
    """To the model."""
    changed: e.Changed | None = None
    checks: list[e.Check] = field(default_factory=list)
    """On the tree of `changed`."""
    on_checks: str = ""
    """A line for people about them ("… fails on the base too")."""
    left_out: e.LeftOut | None = None
    judged: bool = False
    """The last gate came after the last work, so that `changed`, `checks` and `left_out` are of one candidate."""
    published: e.Published | None = None
    landed: list[e.Changed] = field(default_factory=list)
    """What was published: one for each run that did, each on top of the last."""
    approved: e.Approved | None = None
    """What the latest run is to let in; None in a task's first run."""
    let_in: list[e.Approved] = field(default_factory=list)
    before: Judged | None = None
    """How things stood when the latest run began, which holds again where it publishes nothing."""
    pr_url: str | None = None
    error: str = ""
    done: e.Done | None = None

    @property
    def checked(self) -> Literal["passed", "failed", "not run", "another tree"]:
        """What the server saw of the checks. `passed` only where every one ran and ended with 0, on the tree that is published."""
        if any(check.exit_code for check in self.checks):
            return "failed"
        if not self.checks or any(check.exit_code is None for check in self.checks):
            return "not run"
        if not self.published or not self.changed or self.published.tree != self.changed.tree:
            return "another tree"
        return "passed"


def view(entries: Sequence[e.Entry]) -> View:
    """The entries, in the order of the log, as one view."""
    seen = View()
    for entry in entries:
        _take(seen, entry.event, entry.at)
        seen.last = entry.at
    return seen


def _take(seen: View, event: e.Event, at: float) -> None:
    seen.waiting = event if isinstance(event, e.Waiting) else None
    match event:
        case e.StageBegan():
            _begin(seen, event.stage, at)
        case e.CallsBegan():
            seen.calls, seen.calls_at = event.calls, at
        case e.Plan():
            seen.plan, seen.calls = event.steps, ()
        case e.ToolRead() | e.ToolEdit() | e.ToolBash() | e.ToolSearch():
            seen.rows.append(_row(event))
            seen.calls = ()
        case e.Status() if seen.stage == "work":
            seen.rows.append(Row("note", event.message))
            seen.calls = ()
        case e.Status() if seen.stage == "verify":
            seen.on_checks = event.message
        case e.Status():
            seen.note = event.message
        case e.AIMessage():
            seen.said = event.message
        case e.Usage():
            seen.turns, seen.usd = event.after(seen.turns), event.usd
        case e.NotShown():
            seen.not_shown[event.why] = event.count
        case e.Changed():
            _judge(seen)
            seen.changed = event
        case e.Check():
            seen.checks.append(event)
        case e.LeftOut():
            _judge(seen)
            seen.left_out = event
        case e.Approved():
            _begin_next(seen, event)
        case e.Published():
            _publish(seen, event)
        case e.PRCreated():
            seen.pr_url = event.pr_url
        case e.Error():
            seen.error = event.message
        case e.Done():
            seen.done, seen.pr_url = event, event.pr_url or seen.pr_url
            if seen.before:
                _fall_back(seen, seen.before)


def _begin(seen: View, stage: Stage, at: float) -> None:
    seen.stage, seen.calls, seen.note = stage, (), ""
    if stage == "prepare" and seen.began is not None:
        seen.renewed += 1
    if stage != "queued" and seen.began is None:
        seen.began = at
    if stage in ("work", "gate"):
        seen.judged = False


def _begin_next(seen: View, event: e.Approved) -> None:
    """Another run of the task: of the last one stays what it came to."""
    if seen.began is not None and seen.last is not None:
        seen.earlier += seen.last - seen.began
    seen.before = Judged(seen.changed, seen.checks, seen.on_checks, seen.left_out)
    seen.changed, seen.checks, seen.on_checks = None, [], ""
    seen.stage, seen.began, seen.judged, seen.done, seen.error = "queued", None, False, None, ""
    seen.plan, seen.rows, seen.calls, seen.note = (), [], (), ""
    seen.approved = event


def _fall_back(seen: View, before: Judged) -> None:
    seen.changed, seen.checks, seen.on_checks = before.changed, before.checks, before.on_checks
    if seen.left_out is None or not seen.left_out.approval:
        seen.left_out = before.left_out


def _publish(seen: View, event: e.Published) -> None:
    seen.published, seen.before = event, None
    if seen.changed:
        seen.landed.append(seen.changed)
    if seen.approved:
        seen.let_in.append(seen.approved)


def _judge(seen: View) -> None:
    """A gate has a new candidate: what is known of the one before says nothing about it."""
    if not seen.judged:
        seen.changed, seen.left_out, seen.checks, seen.on_checks = None, None, [], ""
    seen.judged = True


def _row(event: e.ToolRead | e.ToolEdit | e.ToolBash | e.ToolSearch) -> Row:
    match event:
        case e.ToolRead():
            return Row("read", event.filepath)
        case e.ToolSearch():
            return Row("search", event.pattern)
        case e.ToolBash():
            ended = _LAST_LINE.search(event.output)
            return Row("bash", event.command, ended[1] if ended else "")
        case e.ToolEdit():
            return Row("edit", event.filepath, _lines_changed(event.old_str, event.new_str))


def _lines_changed(old: str, new: str) -> str:
    """ "+3 −1": lines, without those that both begin or both end with."""
    a, b = old.splitlines(), new.splitlines()
    for end in (0, -1):
        while a and b and a[end] == b[end]:
            del a[end], b[end]
    return " ".join([f"+{len(b)}"] * bool(b) + [f"−{len(a)}"] * bool(a))
