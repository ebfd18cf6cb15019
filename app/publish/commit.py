"""One commit on a branch of the task's own, made of data: no git of ours ever runs where the agent could write.

    blobs (binary only) ─▶ tree, compared with the one that was verified ─▶ commit ─▶ branch

A crash may come after each arrow, and then all of it runs again. Blobs, trees and commits that nothing points to do no harm; the branch
is what others see, so it is looked up first: one that holds this task's commit already is the result. It is never forced, and moved only
where somebody asked for work to go on there: forward, from the very commit that the work stands on.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.core.errors import Transient
from app.core.task import Actor, Request, Words
from app.github.client import GitHub
from app.github.errors import Conflict, Refused
from app.github.facts import CommitFacts, TreeEntry
from app.publish.changes import content_of
from app.publish.contents import is_named
from app.sandbox.repo import Change

_INLINE = 5_000_000
"""Bytes of text that travel in the one request for the tree; what is beyond goes as blobs."""
_NAMES = 50
_TITLE = 100
"""Characters; a longer first line of a summary, or one with a full stop, is a sentence."""
_TASK = "Backspace-Task: "
_DROPPED = str.maketrans({"@": "", "#": "", "<": "", ">": "", "[": "(", "]": ")"})
_ISSUE = re.compile(r"\b(gh)-(?=\d)", re.IGNORECASE)


class TreeMismatch(Exception):
    """GitHub's tree is not the one that was verified, so nothing was published."""


@dataclass(frozen=True)
class Work:
    """What passed the gate and was checked."""

    tree: str
    changes: Sequence[Change]
    contents: Mapping[str, bytes]
    """The new bytes of every path that is not deleted."""
    summary: str


class Commit(Words):
    branch: str
    sha: str
    tree: str


def check_judged(work: Work, content: str) -> None:
    """Raises TreeMismatch where this is not what the gate judged: code of the agent's has run since, and git may tell another tale now."""
    named = all(is_named(work.contents[c.path], c.new_sha) for c in work.changes if c.status != "D")
    if not named or content_of(sorted(work.changes, key=lambda change: change.path)) != content:
        raise TreeMismatch("What would be published is not what the gate has judged.")


async def publish_tree(github: GitHub, *, base_sha: str, work: Work, request: Request) -> Commit:
    """The commit on its branch: the request's `head_branch`, or with `-2`, `-3`… where that name is somebody else's by now.

    Raises TreeMismatch; Refused where GitHub does not take the branch.
    """
    made = None
    for name in _names_for(request):
        head = await github.branch(name)
        goes_on = head is not None and name == request.branch and head.sha == base_sha and _may_go_on(request, head)
        if head is None or goes_on:
            if made is None:
                tree = await _tree(github, base_sha, work)
                made = await github.create_commit(message(request, work.summary), tree, base_sha)
            head = await _point(github, name, made, since=head)
        if head.tree == work.tree and head.parents == (base_sha,) and _is_of(request, head):
            return Commit(branch=name, sha=head.sha, tree=head.tree)
    if request.approved and request.approved.branch:
        raise Refused(f"The branch {request.branch} went on meanwhile, so nothing was let in: approve it again.")
    raise Refused(f"There are {_NAMES} branches named {request.head_branch} already: delete those that are not needed.")


def _names_for(request: Request) -> Iterator[str]:
    """What is let in belongs on top of the work that it was left out of, and nowhere else."""
    on_top = request.approved.branch if request.approved else ""
    return iter((on_top,)) if on_top else names(request.head_branch)


def _may_go_on(request: Request, head: CommitFacts) -> bool:
    """Whoever approved has seen what people committed on top of the work; who asks for a branch by its name may not have."""
    return (request.approved is not None and bool(request.approved.branch)) or is_ours(head)


def message(request: Request, summary: str) -> str:
    """Without an author, so that GitHub signs it; the asker is a co-author, and the task's key tells it from other commits."""
    title, rest = headline(request, summary, 72)
    body = "\n".join(quiet(line) for line in rest.splitlines())[:2000].strip()
    asked = f"Asked for in {request.url}" if request.url else ""
    return "\n\n".join(filter(None, [title, body, asked, _trailers(request)]))


def let_in_text(paths: Sequence[str]) -> str:
    """In place of a model's summary, where there was no model."""
    return "\n".join(["Let in what was left out before", "", *(f"- {path}" for path in paths)])


def _trailers(request: Request) -> str:
    people = {"Co-authored-by": request.actor, "Approved-by": request.approved and request.approved.actor}
    named = [f"{role}: {_person(actor)}" for role, actor in people.items() if actor]
    return "\n".join([task_line(request), *named])


def _person(actor: Actor) -> str:
    return f"{actor.login} <{actor.id}+{actor.login}@users.noreply.github.com>"


def headline(request: Request, summary: str, limit: int) -> tuple[str, str]:
    """One line of plain text, and what is left of the model's summary: its first line where that is a title, else the issue's title."""
    first, _, rest = summary.strip().partition("\n")
    is_title = 0 < len(first.strip()) <= _TITLE and not first.rstrip().endswith(".") and rest[:1] in ("", "\n")
    if not is_title:
        first, rest = request.title or request.instruction.partition("\n")[0], summary
    title = " ".join(quiet(first).strip("* ").split()) or "Work that was asked for"
    return title if len(title) <= limit else title[: limit - 1].rstrip() + "…", rest.strip()


def quiet(line: str) -> str:
    """Foreign text for a commit: it mentions nobody, closes no issue, credits no author and skips no CI.

    GitHub and CI services read commit messages as they are, so there is nothing to escape with: what could act is taken away.
    """
    shown = "".join(" " if c.isspace() else c for c in line if c.isspace() or unicodedata.category(c)[0] != "C")
    return _ISSUE.sub(r"\1 ", shown.translate(_DROPPED).replace("***", "").replace("://", ": "))


async def _tree(github: GitHub, base_sha: str, work: Work) -> str:
    entries: list[TreeEntry] = []
    room = _INLINE
    for change in work.changes:
        if change.status == "D":
            entries.append(TreeEntry(change.path, change.old_mode))
            continue
        content = work.contents[change.path]
        text = _text(content) if len(content) <= room else None
        if text is None:
            entries.append(TreeEntry(change.path, change.new_mode, blob=await github.create_blob(content)))
        else:
            room -= len(content)
            entries.append(TreeEntry(change.path, change.new_mode, text=text))
    tree = await github.create_tree((await github.commit(base_sha)).tree, entries)
    if tree != work.tree:
        raise TreeMismatch(f"GitHub made the tree {tree}, and {work.tree} was verified.")
    return tree


async def _point(github: GitHub, name: str, sha: str, since: CommitFacts | None) -> CommitFacts:
    """Create the branch, or move it forward, and read back what it points to: that can be somebody else's, who was faster."""
    refused = None
    try:
        await (github.move_branch(name, sha) if since else github.create_branch(name, sha))
    except Conflict as e:
        refused = e
    head = await github.branch(name)
    if head and (refused or head != since):
        return head
    if refused:
        raise Refused(f"GitHub does not take the branch {name}: {refused}")
    raise Transient("GitHub does not show the new commit yet.")


def is_ours(commit: CommitFacts) -> bool:
    """Whether some task made it."""
    return any(line.startswith(_TASK) for line in commit.message.splitlines())


def names(base: str) -> Iterator[str]:
    yield base
    yield from (f"{base}-{n}" for n in range(2, _NAMES + 1))


def task_line(request: Request) -> str:
    return f"{_TASK}{request.key}"


def _is_of(request: Request, commit: CommitFacts) -> bool:
    return task_line(request) in commit.message.splitlines()


def _text(content: bytes) -> str | None:
    """The bytes as text that comes back as the same bytes, or None."""
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None
