"""What was killed where, what was found wrong afterwards, and the table of it."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from tests.chaos.log import STAGES, Run

BOUNDARIES = {
    "FL-K01": "the delivery was answered, no run has begun",
    "FL-K02": "the delivery was not answered",
    "FL-K03": "in the step that makes the sandbox",
    "FL-K04": "in a turn of the model",
    "FL-K05": "in the calls of a turn",
    "FL-K06": "the commit is made, its reply is not there",
    "FL-K07": "the branch is made, its reply is not there",
    "FL-K08": "the pull request is open, its reply is not there",
    "FL-K09": "before or in the last edit of the status comment",
}
"""Where a kill may fall, by the case that it shows."""
_BEHIND = {"begin": "FL-K03", "prepare": "FL-K04", "tools": "FL-K04", "turn": "FL-K05", "end": "FL-K09"}
"""By the last recorded step."""


def boundary(run: Run) -> str:
    """ "" where it is none of them."""
    if run.stage in ("gate", "publish"):  # behind the last turn
        return ""
    return "FL-K01" if run.stage == "queued" else _BEHIND.get(run.step, "")


@dataclass(frozen=True)
class Problem:
    kind: Literal["lost", "doubled", "wrong"]
    words: str
    many: int = 1
    """Tasks that are lost, or effects that are there once too often."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.words}"


@dataclass(eq=False)
class Tally:
    """Kills of one database's server. Each counts once, in the rarest of the stages that it hit."""

    database: str
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    """Unfinished runs that were hit, all of a kill."""
    boundaries: Counter[str] = field(default_factory=Counter)
    """Kills that fell there."""
    lost: int = 0
    doubled: int = 0
    problems: list[str] = field(default_factory=list)
    tasks: int = 0
    seconds: float = 0.0
    over: bool = False
    """Nothing cut it short."""

    def hit(self, runs: Collection[Run], held: str = "") -> None:
        """A kill of these runs; `held` is the boundary that one of them was known to be at."""
        if not runs:
            return
        stages = [run.stage for run in runs]
        self.kills[min(stages, key=lambda stage: self.kills[stage])] += 1
        self.runs.update(stages)
        self.boundaries.update({boundary(run) for run in runs} | {held})

    def found(self, where: str, problems: Collection[Problem]) -> None:
        """In one repository. What misses several things there is one task lost."""
        self.lost += max((problem.many for problem in problems if problem.kind == "lost"), default=0)
        self.doubled += sum(problem.many for problem in problems if problem.kind == "doubled")
        self.problems += [f"{where}: {problem}" for problem in problems]


def table(tallies: Collection[Tally]) -> str:
    """Of all databases: kills by stage, in brackets the unfinished runs that they hit; then kills by boundary."""
    columns = [_column(tally) for tally in tallies]
    lines = ["| killed in | " + " | ".join(f"{tally.database}: kills (runs hit)" for tally in tallies) + " |"]
    lines.append("|---|" + "---:|" * len(tallies))
    lines += [f"| {name} | " + " | ".join(column[name] for column in columns) + " |" for name in columns[0]]
    return "\n".join(lines)


def _column(tally: Tally) -> dict[str, str]:
    return {
        **{stage: f"{tally.kills[stage]} ({tally.runs[stage]})" for stage in STAGES},
        "**all**": f"**{tally.kills.total()}** ({tally.runs.total()})",
        **{f"{words} ({case})": str(tally.boundaries[case]) for case, words in BOUNDARIES.items()},
        "tasks": str(tally.tasks),
        "**lost**": f"**{tally.lost}**",
        "**doubled**": f"**{tally.doubled}**",
        "seed": str(tally.seed),
        "minutes": f"{tally.seconds / 60:.1f}" + ("" if tally.over else ", cut short"),
    }
