"""The status comment: every word of it, as a pure function of what was recorded. Nothing ever reads it back."""

from collections.abc import Sequence
from typing import Literal

from app.core.events import Approved, Check, Done, Entry
from app.core.task import Outcome, ThreadRequest
from app.publish.blocks import check_table, count, duration, folded, let_in, not_shown, some_paths, table
from app.publish.text import fenced, inline_code, link, plain, prose
from app.publish.view import Row, View, view

MAX = 60_000
"""Characters of the comment; GitHub takes 65,536."""

_STEPS, _CALLS, _ROWS, _FAILED, _PATHS = 15, 4, 8, 2, 10
"""How many of each are shown."""
_DIFF, _ASKED, _OUTPUT, _WHY = 8_000, 20_000, 2_000, 1_600
"""Characters of a diff, of one to approve, of a check's output, and of why it ended so, which may name a command for a shell."""

_DOING = {
    "read": "reading",
    "search": "reading",
    "edit": "editing",
    "write": "editing",
    "bash": "running commands",
    "plan": "planning",
}
_STAGES = {
    "prepare": "preparing",
    "gate": "checking",
    "verify": "checking",
    "publish": "publishing",
    "report": "finishing",
}
_ENDS = {"nothing": "➖ Nothing to change", "stopped": "🛑 Stopped", "failed": "❌ Failed"}
_PLACES = {1: "next", 2: "second", 3: "third"}

ASK = "`/backspace <prompt>` asks again."
STOP = "`/backspace stop` stops it; what is done so far is kept."


def marker(key: str) -> str:
    """The hidden first line by which the comment of a task is found again."""
    return f"<!-- backspace:{key} -->"


def status(
    task: ThreadRequest,
    entries: Sequence[Entry],
    *,
    now: float,
    place: int,
    is_held: bool = False,
    server_url: str,
    limits_usd: float,
    patch_url: str | None = None,
    goes_on: bool = False,
) -> str:
    """The comment as Markdown, at most MAX characters.

    `entries`: all of the task, in their order. `now`: Unix seconds. `place`: in the queue, from 1; 0 where nothing is before it.
    `is_held`: it waits for its turn, in its thread or among all. `server_url`: GitHub's pages, the only host that links lead to but for
    `patch_url`, which is ours. `limits_usd`: dollars that the task may cost. `goes_on`: the task's next run, which has not begun, is behind
    these entries.
    """
    seen = view(entries)
    asked = _asked(task, server_url)
    if goes_on:
        sections = _approved(seen, asked, server_url)
    elif seen.done:
        sections = _over(seen, seen.done, asked, server_url, patch_url)
    elif seen.stage == "queued":
        sections = _waiting(asked, place, is_held)
    else:
        sections = _working(seen, asked, now)
    if seen.began is not None:
        until = seen.last if seen.done and seen.last is not None else now
        sections.append(_spent(seen, seen.earlier + until - seen.began, limits_usd))
    sections.append(not_shown(seen.not_shown))
    return _assembled([marker(task.key), *sections])


def done_reaction(outcome: Outcome) -> Literal["rocket", "confused"]:
    """The reaction to the command: a rocket for a pull request that is ready, and for nothing else."""
    return "rocket" if outcome == "ready" else "confused"


def _waiting(asked: str, place: int, is_held: bool) -> list[str]:
    if place:
        how, when = f"Waiting: {_PLACES.get(place, f'number {place}')} in line", "the work before it"
    elif is_held:
        how, when = "Waiting for a free slot", "work elsewhere"
    else:
        return [f"### ⏳ Starting\n{asked}"]
    return [f"### ⏳ {how}\n{asked}", f"Starts when {when} is over. `/backspace stop` takes it back."]


def _approved(seen: View, asked: str, server_url: str) -> list[str]:
    return [
        f"### ⏳ Approved\n{asked}",
        f"What was left out is let in{_kept(seen, seen.pr_url or '', server_url)}.\n"
        "Starts as soon as nothing else runs here. `/backspace stop` takes it back.",
    ]


def _working(seen: View, asked: str, now: float) -> list[str]:
    doing = _STAGES.get(seen.stage) or _activity(seen.calls)
    return [
        f"### ⚙️ Working: {doing}\n{asked}",
        f"To be let in: {_named(seen.approved)}" if seen.approved else "",
        _plan(seen),
        _now(seen, now),
        check_table(seen.checks),
        folded("The last steps", _row_table(seen.rows[-_ROWS:])),
    ]


def _over(seen: View, done: Done, asked: str, server_url: str, patch_url: str | None) -> list[str]:
    url = done.pr_url or seen.pr_url or ""
    return [
        f"### {_end(seen, done, url, server_url)}\n{asked}",
        _why(seen, done),
        _patch(patch_url) if done.via == "patch" else "",
        _proof(seen),
        "\n".join(f"Let in: {_named(approved)}  " for approved in seen.let_in).rstrip(),
        _lost(seen),
        plain(seen.on_checks),
        check_table(seen.checks),
        *(_last_lines(check) for check in _failing(seen)[:_FAILED]),
        _unpublished(seen) if done.outcome in ("stopped", "failed") else "",
        _left_out(seen) if seen.left_out else "",
    ]


def _patch(url: str | None) -> str:
    """Without a link a key is needed, which only whoever runs the server can give."""
    if url is None:
        return "The server keeps the whole change as a patch: ask its operator for it."
    return f"[The whole change as a patch](<{url}>)"


def _why(seen: View, done: Done) -> str:
    if done.outcome != "nothing" or (seen.error and done.message == seen.error):
        return plain(done.message or (seen.error if done.outcome == "failed" else ""), _WHY)
    words = prose(done.message or seen.said, 2_000)
    quoted = "\n".join(f"> {line}".rstrip() for line in words.split("\n"))
    return f"The agent's own words, which nothing checked:\n\n{quoted}" if words else ""


def _end(seen: View, done: Done, url: str, server_url: str) -> str:
    if done.outcome in _ENDS:
        return _ENDS[done.outcome] + _kept(seen, url, server_url)
    sign = "😕" if done.outcome == "draft" else "✅" if seen.checked == "passed" else "🟡"
    if not seen.published:
        return f"{sign} {link('Pull request', url, server_url)}"
    kind = " Draft" if seen.published.draft else ""
    return f"{sign}{kind} {link(f'#{seen.published.number}', url, server_url)} {plain(seen.published.title, 256)}"


def _kept(seen: View, url: str, server_url: str) -> str:
    if not seen.published:
        return ""
    if seen.published.number is None:
        return f": the work is on the branch {link(inline_code(seen.published.branch), seen.published.compare_url, server_url)}"
    return f": the work so far is {link(f'#{seen.published.number}', url, server_url)}"


def _proof(seen: View) -> str:
    """How large the change is, and what was seen of its checks."""
    if not seen.published or not seen.changed:
        return ""
    files, added, removed = (sum(getattr(part, of) for part in seen.landed) for of in ("files", "added", "removed"))
    size = f"{count(files, 'file')}, +{added} −{removed}"
    exactly = f"exactly what was published ({inline_code(seen.published.tree[:7])})"
    match seen.checked:
        case "passed":
            proof = f"checks passed on {exactly}"
        case "failed" if seen.published.tree == seen.changed.tree:
            proof = f"{inline_code(_failing(seen)[0].command)} failed on {exactly}"
        case "not run" if not seen.checks:
            proof = "not checked: no check is known for this repository"
        case "not run" if all(check.exit_code is None for check in seen.checks):
            proof = "not checked: see why it was not run"
        case "not run":
            proof = "not checked in full: see what was not run"
        case _:
            proof = "not checked: what was published is not the tree that the checks saw"
    tests = (
        "\nIt touches tests or the settings of checks, so a green check proves less."
        if any(part.touches_tests for part in seen.landed)
        else ""
    )
    return f"{size} · {proof}{tests}"


def _lost(seen: View) -> str:
    if not seen.renewed:
        return ""
    times = {1: "once", 2: "twice"}.get(seen.renewed, f"{seen.renewed} times")
    return f"The sandbox was lost {times}; a new one went on from the last checkpoint."


def _last_lines(check: Check) -> str:
    block = fenced(check.output, limit=_OUTPUT, tail=True)
    return folded("Last lines of a failed check", f"{inline_code(check.command)}\n\n{block}")


def _unpublished(seen: View) -> str:
    if seen.published or not seen.changed:
        return ""
    return folded("The change, not published", fenced(seen.changed.diff, "diff", _DIFF))


def _left_out(seen: View) -> str:
    """With its diff, and how to let it in: one section, so that nobody is asked to approve what is not shown."""
    assert seen.left_out
    left = seen.left_out
    lines = [
        f"⚠️ {inline_code(path.path)} was changed and not published: {plain(path.reason)}"
        for path in left.paths[:_PATHS]
    ]
    if len(left.paths) > _PATHS:
        lines.append(f"⚠️ and {len(left.paths) - _PATHS} more")
    fold = (
        folded("What was left out", fenced(left.diff, "diff", _ASKED if left.approval else _DIFF)) if left.diff else ""
    )
    parts = [
        "\n".join(f"{line}  " for line in lines).rstrip(),
        fold,
        let_in(left) if fold and _can_take_more(seen) else "",
    ]
    return "\n\n".join(filter(None, parts))


def _can_take_more(seen: View) -> bool:
    """There is a branch to put it on top of, or else there was nothing to be published beside it."""
    return seen.published is not None or seen.changed is None


def _named(approved: Approved) -> str:
    return f"{some_paths(approved.paths)}, approved by {inline_code(approved.by)}"


def _plan(seen: View) -> str:
    lines = [f"- [{'x' if step.done else ' '}] {plain(step.text, 120)}" for step in seen.plan[:_STEPS]]
    return "\n".join([*lines, *([f"- and {len(seen.plan) - _STEPS} more"] if len(seen.plan) > _STEPS else [])])


def _now(seen: View, now: float) -> str:
    """What is being waited for, what runs, or the stage's latest line."""
    if seen.waiting and seen.last is not None and (left := seen.last + seen.waiting.seconds - now) > 0:
        return f"{plain(seen.waiting.message.removesuffix('.'), 300)} · tried again in {duration(left)}"
    return _running(seen, now) if seen.calls else plain(seen.note)


def _running(seen: View, now: float) -> str:
    calls = [_call(call) for call in seen.calls[:_CALLS]]
    more = f" and {len(seen.calls) - _CALLS} more" if len(seen.calls) > _CALLS else ""
    return f"{', '.join(calls)}{more} · running for {duration(now - seen.calls_at)}"


def _call(call: str) -> str:
    verb, _, what = call.partition(" ")
    return (
        inline_code(what, 120)
        if verb == "bash" and what.strip()
        else f"{plain(verb, 20)} {inline_code(what, 120)}".strip()
    )


def _activity(calls: tuple[str, ...]) -> str:
    verbs = [call.partition(" ")[0] for call in calls]
    return next((_DOING[verb] for verb in verbs if verb in _DOING), "thinking")


def _row_table(rows: Sequence[Row]) -> str:
    return table(("", "", ""), [(row.verb, _what(row), plain(row.result, 80)) for row in rows])


def _what(row: Row) -> str:
    return plain(row.what, 120) if row.verb == "note" else inline_code(row.what, 120)


def _failing(seen: View) -> list[Check]:
    return [check for check in seen.checks if check.exit_code]


def _asked(task: ThreadRequest, server_url: str) -> str:
    login = task.actor.login
    asked = f"{link('asked', task.url, server_url)} by {link(plain(login), f'{server_url}/{login}', server_url)}"
    first_line = task.instruction.partition("\n")[0]
    return f"{plain(first_line, 120)} · {asked}"


def _spent(seen: View, seconds: float, limit: float) -> str:
    spent = f"{duration(seconds)} · {count(seen.turns, 'turn')} · ${seen.usd:.2f} of ${limit:.2f}"
    return f"{spent}\n{ASK if seen.done else STOP}"


def _assembled(sections: list[str]) -> str:
    """The sections that say something; where they are too long, the longest gives way whole, so that no block is torn."""
    sections = [section for section in sections if section]
    while len(text := "\n\n".join(sections)) > MAX:
        sections[sections.index(max(sections, key=len))] = "(too long to show here)"
    return text
