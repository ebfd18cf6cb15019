"""The closed union of events: all that a run tells anybody.

The status comment, the terminal and the event stream are three readings of one recorded list of these. `model_dump()` gives the
wire form, `type` first; the names and fields of the first six are what existing callers read, so they stay as they are.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from app.core.task import Outcome, Stage, Words


class Status(Words):
    """A line for people. Also a tool call that failed."""

    type: Literal["Status"] = "Status"
    message: str


class Waiting(Words):
    """A step waits for somebody else, and is tried again after `seconds`. Over when anything else comes, or the seconds are."""

    type: Literal["Waiting"] = "Waiting"
    message: str
    seconds: float


class AIMessage(Words):
    """A text block of the model, or the summary of a thinking block."""

    type: Literal["AI Message"] = "AI Message"
    message: str


class ToolRead(Words):
    type: Literal["Tool: Read"] = "Tool: Read"
    filepath: str


class ToolEdit(Words):
    """One replacement. A new file has `old_str` ""; a write over a file carries the old text, capped."""

    type: Literal["Tool: Edit"] = "Tool: Edit"
    filepath: str
    old_str: str
    new_str: str


class ToolBash(Words):
    """`output` is the head and tail that the model saw and ends in "[exit n]"."""

    type: Literal["Tool: Bash"] = "Tool: Bash"
    command: str
    output: str


class PRCreated(Words):
    type: Literal["PR Created"] = "PR Created"
    pr_url: str


class ToolSearch(Words):
    type: Literal["Tool: Search"] = "Tool: Search"
    pattern: str
    output: str


class PlanStep(Words):
    text: str
    done: bool


class Plan(Words):
    """The model's plan, whole, each time it changes."""

    type: Literal["Plan"] = "Plan"
    steps: tuple[PlanStep, ...]


class Check(Words):
    """A check that the server ran on exactly the tree to be published. `exit_code` None: not run, and `output` says why."""

    type: Literal["Check"] = "Check"
    command: str
    exit_code: int | None
    output: str
    seconds: float = 0.0


class Usage(Words):
    """What the task has used so far: after each reply of the model, and after requests that came to none."""

    type: Literal["Usage"] = "Usage"
    tokens: int
    """Input, cached and output together."""
    usd: float
    turns: int | None = None
    """None: one more than before. So recorded release 0.1.0, after each reply."""

    def after(self, turns: int) -> int:
        """How many turns there are, where there were `turns` before."""
        return turns + 1 if self.turns is None else self.turns


class Error(Words):
    type: Literal["Error"] = "Error"
    message: str


Via = Literal["api", "existing", "fork", "gh", "branch", "link", "patch"]
"""How the work got to people, the best way first. A pull request: opened by the API, found for that head branch, opened from a fork, opened
by the program `gh`. None: `branch`, in a repository of this machine, which needs none; `link`, the head branch is there and a person
can open it; `patch`, the change is kept as a patch."""


class Done(Words):
    """The last event. `message` says in one sentence why, and what to do next, where the outcome alone does not."""

    type: Literal["Done"] = "Done"
    outcome: Outcome
    pr_url: str | None = None
    message: str = ""
    via: Via | Literal[""] = ""
    """"" where nothing was to be published, or nothing of it is left."""


class StageBegan(Words):
    """From here on the run is in `stage`."""

    type: Literal["Stage"] = "Stage"
    stage: Stage


class CallsBegan(Words):
    """The tool calls that a recorded turn asked for; what runs now, until their results are recorded."""

    type: Literal["Calls"] = "Calls"
    calls: tuple[str, ...]
    """One short line each: "bash pytest -q", "edit api/models.py"."""


class LeftOutPath(Words):
    path: str
    reason: str


class LeftOut(Words):
    """Changes that the gate kept from the pull request. `/backspace approve <approval>` lets in exactly the content of `asked`."""

    type: Literal["Left out"] = "Left out"
    paths: tuple[LeftOutPath, ...]
    diff: str
    """Unified diff of what was left out, capped, for a person to take over by hand; with an `approval`, all of `asked` and nothing else."""
    asked: tuple[str, ...] = ()
    """Those of the paths that a person may let in."""
    approval: str = ""
    """"" where nothing can be let in: there is nothing that may be, or the diff does not show all of it, or no comment can say so."""


class Approved(Words):
    """The task's next run begins: somebody has let in what was left out."""

    type: Literal["Approved"] = "Approved"
    by: str
    """Login."""
    paths: tuple[str, ...]


WhyNotShown = Literal["no write access", "not asked", "bot", "later", "older", "long", "hidden"]
"""Of comments: who wrote it has no write access; or was one of too many to ask; or is a bot; it was written or edited after the request; it
is older than what was looked at. Of parts: the end of a long comment; what a page of GitHub does not show."""


class NotShown(Words):
    """What was said and was not given to the model: how many comments, or parts of them, and why. One for each reason."""

    type: Literal["Not shown"] = "Not shown"
    count: int
    why: WhyNotShown


class Changed(Words):
    """What the candidate tree changes against the base, after the gate."""

    type: Literal["Changed"] = "Changed"
    tree: str
    files: int
    added: int
    removed: int
    diff: str
    """Unified diff for people, capped."""
    touches_tests: bool
    """Tests or the configuration of checks are among the changed paths, so a green check proves less."""


class Published(Words):
    """The commit is on its branch, and the pull request open unless `number` is None."""

    type: Literal["Published"] = "Published"
    branch: str
    commit: str
    tree: str
    number: int | None
    title: str
    draft: bool
    compare_url: str = ""
    """Page on which a person can open the pull request, where it could not be opened."""


Event = Annotated[
    Status | AIMessage | ToolRead | ToolEdit | ToolBash | PRCreated | ToolSearch | Plan | Check | Usage | Error | Done
    | Waiting | StageBegan | CallsBegan | NotShown | LeftOut | Approved | Changed | Published,
    Field(discriminator="type"),
]  # fmt: skip

EVENT: TypeAdapter[Event] = TypeAdapter(Event)


class Entry(Words):
    """An event as it was recorded."""

    id: str
    """`<task>.<run>.<step>.<k>`: unique, and in the order of the log."""
    at: float
    """Unix seconds at which the step that carries it was recorded."""
    event: Event
