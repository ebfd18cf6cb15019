"""The head branch that somebody asks for by name: a new one, or earlier work of ours that goes on. Never anybody else's."""

from app.core.errors import Refusal, UserError
from app.core.task import Repository
from app.github.client import GitHub
from app.publish.commit import is_ours


async def on_top(branch: str, heads: GitHub) -> str:
    """This branch of ours, where something may come on top of it, whoever else has committed there since. Raises Refusal."""
    if await heads.branch(branch) is None:
        raise Refusal(f"The branch {branch} is gone: restore it, then approve again.", 422)
    newest = next(iter(await heads.pulls_of(branch)), None)
    if newest and newest.state == "closed":
        raise Refusal(f"The pull request #{newest.number} is closed or merged, so nothing can be let in there.", 422)
    return branch


async def start(wanted: str, default: str, heads: GitHub, pulls: GitHub, fork: Repository | None = None) -> str:
    """The branch to start from: the default branch, or `wanted` itself where work goes on.

    `heads`: the repository that `wanted` is in, or is to be in; `pulls`: the one that pull requests are opened in. They differ where `fork`
    is the first. Raises Refusal.
    """
    if not wanted:
        return default
    if wanted == default:
        raise Refusal(f"{wanted} is the default branch, where nothing is written directly: name another.", 422)
    tip = await heads.branch(wanted)
    if tip is None:
        for above in folders(wanted):
            if await heads.branch(above):
                raise Refusal(f"git has no room for {wanted} beside the branch {above}: name another.", 422)
        return default
    if not is_ours(tip):
        raise Refusal(f"There is a branch {wanted} already, and its last commit is not Backspace's: name another.", 422)
    if await heads.is_protected(wanted):
        raise Refusal(f"The branch {wanted} is protected: name another.", 422)
    await check_wanted(wanted, pulls, fork)
    return wanted


async def rules(start: str, default: str, heads: GitHub) -> str:
    """SHA of the default branch's tip where work starts from another branch; "" else. Raises UserError where it has no commit any more."""
    if start == default:
        return ""
    tip = await heads.branch(default)
    if tip is None:
        raise UserError(f"The default branch {default} is gone: restore it, or name another, and ask again.")
    return tip.sha


def folders(branch: str) -> list[str]:
    """The names that no branch may have beside this one: `a` and `a/b` for `a/b/c`."""
    parts = branch.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


async def check_wanted(branch: str, pulls: GitHub, fork: Repository | None = None) -> None:
    """Raises Refusal where the last pull request of this branch is over: what came on top of it would be seen by nobody."""
    newest = next(iter(await pulls.pulls_of(branch, fork)), None)
    if newest and newest.state == "closed":
        raise Refusal(
            f"The pull request of the branch {branch}, #{newest.number}, is closed or merged: name another.", 422
        )
