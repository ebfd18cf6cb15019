"""The pull request: its words (pure), and opening it once."""

from collections.abc import Sequence

from app.core.errors import UserError
from app.core.events import Check, LeftOut, LeftOutPath, Via
from app.core.task import Repository, Request, ThreadRequest
from app.github.client import GitHub
from app.github.errors import Conflict, NotFound, Refused
from app.github.facts import Pull
from app.publish.blocks import duration, folded, let_in, some_paths
from app.publish.comment import marker
from app.publish.commit import headline
from app.publish.text import cell, fenced, inline_code, plain, prose

_TITLE = 256
"""Characters that GitHub allows."""
_MOST = 60_000
_DIFF = 20_000
"""Characters of a diff that somebody may approve."""
_ROOM = (6000, 600)
"""Characters for the longest of foreign texts: the first, or where escapes make the body too long with that, the second."""


def title_and_body(
    request: Request,
    *,
    summary: str,
    why_draft: str,
    checks: Sequence[Check],
    left_out: Sequence[LeftOutPath],
    touches_tests: bool,
    tree: str,
    approvable: LeftOut | None = None,
    approved: Sequence[str] = (),
) -> tuple[str, str]:
    """`summary`: the model's last words, its title first. `why_draft`: one sentence, "" where it is ready.

    `tree`: what was checked and published. `approvable`: of what was left out, what a person may let in. `approved`: the paths that
    were let in.
    """
    title, rest = headline(request, summary, _TITLE)

    def body(room: int) -> str:
        parts = [
            marker(request.key),
            f"⚠️ **Draft:** {plain(why_draft, 500)}" if why_draft else "",
            "### Why\n" + _why(request, room),
            "### What\n" + _claim(rest, room),
            "### How it was checked\n" + _checked(checks, tree, room),
            _look_at(left_out, touches_tests, _let_in(request, approved), room),
            _approvable(approvable) if approvable and room == _ROOM[0] else "",
            f"Fixes #{request.thread}" if request.thread else "",
        ]
        return "\n\n".join(filter(None, parts))

    return title, next((b for b in map(body, _ROOM) if len(b) <= _MOST), body(_ROOM[-1]))


def _why(request: Request, room: int) -> str:
    quoted = "\n".join(f"> {line}".rstrip() for line in prose(request.instruction, room // 6).split("\n"))
    if isinstance(request, ThreadRequest):
        asked = f"@{request.actor.login} [asked for it]({request.url})"
        return f"{asked} by a label." if request.comment_id is None else f"{asked}:\n\n{quoted}"
    return f"Asked for directly:\n\n{quoted}"


def _claim(summary: str, room: int) -> str:
    if not summary.strip():
        return "The model left no summary."
    return f"In the model's words, which nothing has checked:\n\n{prose(summary, room)}"


def _checked(checks: Sequence[Check], tree: str, room: int) -> str:
    published = inline_code(tree[:7])
    if not checks:
        return f"Nothing was run: no check is known for this repository. The published tree is {published}."
    if all(check.exit_code is None for check in checks):
        head = f"Nothing could be run. The published tree is {published}."
    else:
        head = f"By the server, on exactly the tree that is published here ({published})."
    rows = "\n".join(f"| {cell(inline_code(check.command))} | {_result(check)} |" for check in checks)
    outputs = [_output(check, room // 2) for check in checks if check.exit_code]
    return "\n\n".join([head, f"| check | result |\n|---|---|\n{rows}", *outputs])


def _result(check: Check) -> str:
    if check.exit_code is None:
        return f"not run: {cell(plain(check.output))}"
    return f"exit {check.exit_code} · {duration(check.seconds)}"


def _output(check: Check, room: int) -> str:
    """Folded. The summary is HTML, in which nothing of Markdown's would be escaped, so the command stands below it."""
    block = fenced(check.output, limit=room, tail=True)
    return f"<details><summary>Last lines of a failed check</summary>\n\n{inline_code(check.command)}\n\n{block}\n\n</details>"


def _let_in(request: Request, paths: Sequence[str]) -> str:
    return f"- Let in by @{request.approved.actor.login}: {some_paths(paths)}" if request.approved and paths else ""


def _approvable(left: LeftOut) -> str:
    return f"{folded('What was left out', fenced(left.diff, 'diff', _DIFF))}\n\n{let_in(left)}"


def _look_at(left_out: Sequence[LeftOutPath], touches_tests: bool, approved: str, room: int) -> str:
    shown = room // 120
    points = [f"- Not part of this: {inline_code(path.path)} ({plain(path.reason)})" for path in left_out[:shown]]
    if len(left_out) > shown:
        points.append(f"- and {len(left_out) - shown} paths more, left out too")
    if touches_tests:
        points.insert(0, "- Tests, or what configures them, are changed here, so a check that passes proves less.")
    if approved:
        points.insert(0, approved)
    return "### Look at closely\n" + "\n".join(points) if points else ""


class NoCommits(UserError):
    """The base holds all that is on the head branch: there is nothing to review."""


class Unopened(UserError):
    """GitHub did not take the pull request, and says why. The branch is there, so a person can see to it."""


async def open_pull(
    github: GitHub, *, title: str, body: str, head: str, base: str, draft: bool, fork: Repository | None = None
) -> tuple[Pull, Via]:
    """The pull request of this branch: found, or else opened. `fork`: where the branch is, if not in the repository itself.

    Raises Unopened, NoCommits.
    """
    found = await _find(github, body, head, fork)
    if found:
        return found
    try:
        pull = await github.create_pull(title=title, body=body, head=head, base=base, draft=draft, fork=fork)
    except Conflict as e:
        if draft and "draft pull requests are not supported" in str(e).lower():
            return await open_pull(github, title=title, body=body, head=head, base=base, draft=False, fork=fork)
        # It may exist since a moment ago, from a try whose reply was lost.
        found = await _find(github, body, head, fork)
        if found:
            return found
        if "no commits between" in str(e).lower():
            raise NoCommits(f"There is nothing to review: {base} holds all that was changed here.") from e
        raise Unopened(f"GitHub did not take the pull request ({e}).") from e
    except Refused as e:
        raise Unopened(f"The pull request could not be opened: {e}") from e
    except NotFound as e:
        raise Unopened("The pull request could not be opened: GitHub does not show where.") from e
    return pull, "fork" if fork else "api"


async def _find(github: GitHub, body: str, head: str, fork: Repository | None) -> tuple[Pull, Via] | None:
    """This task's own, known by its first line, in whatever state people have brought it to; else an open one of the branch's."""
    pulls = await github.pulls_of(head, fork)
    if ours := next((pull for pull in pulls if pull.body.startswith(body.partition("\n")[0])), None):
        return ours, "fork" if fork else "api"
    if going_on := next((pull for pull in pulls if pull.state == "open"), None):
        return going_on, "existing"
    return None
