"""The repository's own commands: its set-up before the work, its checks on exactly what would be published."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.agent.loop import Ended, unless
from app.core.events import Check, Event, StageBegan, Status
from app.core.redact import Redactor
from app.core.task import Request
from app.runs.engine import Engine, Json
from app.runs.ground import Ground
from app.runs.stop import Stop
from app.sandbox import repo
from app.sandbox.base import Call, Result, Sandbox, Sandboxes
from app.tools.base import tail
from app.tools.bash import shell

SETUP_SECONDS = 900.0
CHECK_SECONDS = 900.0
OUTPUT_SHOWN = 6_000
NO_CHECK = "Nothing was checked: no check is known for this repository. `test:` in .github/backspace.yml names one."
CANT_RUN, MISSING = 126, 127
"""What a shell answers where the command can't be run at all."""
ENDLESS = 124
"""What `timeout` answers for a command that did not end."""


@dataclass(frozen=True)
class _Seen:
    """How one check went on one tree. `code` None: it was stopped, or its end was lost."""

    command: str
    code: int | None
    why: str
    output: str
    seconds: float

    @property
    def ran(self) -> bool:
        return self.code is not None and self.code not in (CANT_RUN, MISSING, ENDLESS)

    def check(self, ran_on_base: bool) -> Check:
        """A check that could not run, or did not end, is red where the base could do it: then the change is to blame."""
        if self.ran or (self.code is not None and ran_on_base):
            return Check(command=self.command, exit_code=self.code, output=self.output, seconds=self.seconds)
        return Check(command=self.command, exit_code=None, output=f"{self.why}: {self.output}", seconds=self.seconds)


class Checking:
    def __init__(self, *, engine: Engine, sandboxes: Sandboxes, redactor: Redactor) -> None:
        self._engine = engine
        self._sandboxes = sandboxes
        self._redact = redactor

    async def set_up(self, sandbox: Sandbox, request: Request, command: str | None) -> tuple[str, str | None]:
        """A line on how it went, and where it failed the reason why no check can be trusted to run."""
        if not command:
            return "No set-up is needed.", None
        result = await self._run(sandbox, request, shell("setup", command, SETUP_SECONDS))
        said = f"`{command}` · {ending(result, SETUP_SECONDS)}"
        if result.exit_code == 0:
            return said, None
        return f"{said}\n{tail(result, 2_000)}", f"the set-up failed (`{command}`, {ending(result, SETUP_SECONDS)})"

    async def verify(
        self, ground: Ground, prepared: Json, tree: str, turns: int, ended: Ended, mend: Sequence[str] | None
    ) -> Json:
        """Run the checks on exactly `tree`. `mend`: failures may go back to the model, but those that fail on the base too and that it
        was told of already, which are these; None: no failure may.
        """
        sandbox = await self._sandboxes.connect(ground.sandbox)
        tests: list[str] = prepared["tests"]
        problem = prepared["problem"] if ended.how == "finished" else "the work was cut short"
        on_base: list[str] = []
        if problem:
            found = [Check(command=command, exit_code=None, output=problem) for command in tests]
        else:
            found, on_base = await self._on_tree_and_base(sandbox, ground, tests, tree, f"verify/{turns}", mend or ())
        by = await Stop(self._engine, ground.request.key).by()
        failing = [check.command for check in found if check.exit_code]
        again = mend is not None and by is None and any(one not in on_base or one not in mend for one in failing)
        events: list[Event] = [*found, StageBegan(stage="work" if again else "publish")]
        if not tests:
            events.insert(-1, Status(message=NO_CHECK))
        if on_base:
            events.insert(-1, Status(message=_before(on_base)))
        return {
            "checks": [check.model_dump() for check in found],
            "failing": bool(failing),
            "on_base": on_base,
            "mend": again,
            "stopped": by,
            "events": [event.model_dump() for event in events],
        }

    async def _on_tree_and_base(
        self, sandbox: Sandbox, ground: Ground, tests: Sequence[str], tree: str, key: str, known: Sequence[str]
    ) -> tuple[list[Check], list[str]]:
        """The checks on the tree; and on the base those that failed or could not run, for which failed there too.

        `known` to have failed there, they are not run there again. The work tree ends as `tree`.
        """
        await repo.checkout(sandbox, tree, f"{key}/tree")
        seen = [await self._see(sandbox, ground, command, f"{key}/{k}") for k, command in enumerate(tests)]
        ran, failed = set(known), set(known)  # on the base
        if doubtful := [k for k, check in enumerate(seen) if check.code and check.command not in known]:
            await repo.checkout(sandbox, f"{ground.base}^{{tree}}", f"{key}/base")
            before = [await self._see(sandbox, ground, tests[k], f"{key}/base/{k}") for k in doubtful]
            ran |= {check.command for check in before if check.ran}
            failed |= {check.command for check in before if check.code}
        await repo.checkout(sandbox, tree, f"{key}/clean")
        found = [check.check(check.command in ran) for check in seen]
        return found, [check.command for check in seen if check.ran and check.code and check.command in failed]

    async def _see(self, sandbox: Sandbox, ground: Ground, command: str, key: str) -> _Seen:
        result = await self._run(sandbox, ground.request, shell(key, command, CHECK_SECONDS))
        return _Seen(
            command=command,
            code=ENDLESS if result.ended == "deadline" else result.exit_code,
            why=ending(result, CHECK_SECONDS),
            output=self._redact.text(tail(result, OUTPUT_SHOWN)),
            seconds=result.seconds,
        )

    async def _run(self, sandbox: Sandbox, request: Request, call: Call) -> Result:
        """The call's result; a stop ends it at once, also one said to a server that was killed since."""
        stop = Stop(self._engine, request.key)
        if await stop.by() is not None:
            await sandbox.stop(call.key)
        result = await unless(stop.wait(), sandbox.run(call))
        if result is None:
            await sandbox.stop(call.key)
            result = await sandbox.run(call)
        return result


def _before(commands: Sequence[str]) -> str:
    *others, last = [f"`{command}`" for command in commands]
    return f"{', '.join(others)} and {last} fail on the base too." if others else f"{last} fails on the base too."


def ending(result: Result, seconds: float) -> str:
    """How a command ended, for people. `seconds`: its deadline."""
    match result.ended:
        case "exited" if result.exit_code == CANT_RUN:
            return f"exit {CANT_RUN}, the command can't be run in the sandbox"
        case "exited" if result.exit_code == MISSING:
            return f"exit {MISSING}, the command is not in the sandbox"
        case "exited":
            return f"exit {result.exit_code}"
        case "deadline":
            return f"no end after {seconds:g} s"
        case "interrupted":
            return "cut off, and its end was lost"
        case "stopped":
            return "stopped"
