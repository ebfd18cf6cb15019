"""The comments on an issue that the model may be told: by people with write access, as they stood before the work was asked for.

Read from the newest on and within limits, so that a thread of thousands costs a few requests. What is kept back is counted.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from app.core.events import NotShown, WhyNotShown
from app.core.task import ThreadRequest, Words
from app.github.client import GitHub
from app.github.facts import ThreadComment
from app.github.rest import PAGE

PAGES = 3
"""Pages of comments that are read, the newest."""
AUTHORS = 20
"""Accounts of which it is asked whether they have write access, besides the asker."""
COMMENTS = 30
"""Comments that are shown."""
CHARACTERS = 20_000
"""Of all that are shown."""
LONGEST = 5_000
"""Characters of one comment."""


class Thread(Words):
    comments: tuple[ThreadComment, ...] = ()
    """Oldest first; the end of a long one is cut off."""
    not_shown: tuple[NotShown, ...] = ()
    """Our own comments and the command are counted among the older ones only, whose authors were not looked at."""


async def before(
    request: ThreadRequest, comments: GitHub, people: GitHub, *, ours: int, may_write: Callable[[str], bool]
) -> Thread:
    """What stood in the thread before the request.

    `comments`, `people`: by a token that reads issues, and by one that reads permissions. `ours`: the account that we comment by.
    `may_write`: whether a permission level is write access.
    """
    authors = _Authors(request, people, may_write)
    shown: list[ThreadComment] = []
    kept_back: Counter[WhyNotShown] = Counter()
    room, older = CHARACTERS, 0
    async for comment, older in _newest_first(comments, request.thread):
        if comment.id == request.comment_id or comment.author_id == ours:
            continue
        if why := await _why_not(comment, request, authors):
            kept_back[why] += 1
            continue
        fitting = _cut(comment)
        if len(shown) == COMMENTS or len(fitting.body) > room:
            older += 1
            break
        kept_back["long"] += fitting is not comment
        shown.append(fitting)
        room -= len(fitting.body)
    kept_back["older"] = older
    not_shown = tuple(NotShown(count=n, why=why) for why, n in kept_back.items() if n)
    return Thread(comments=tuple(reversed(shown)), not_shown=not_shown)


async def _newest_first(comments: GitHub, thread: int) -> AsyncIterator[tuple[ThreadComment, int]]:
    """Comments of the last pages, each once, and how many are older than it."""
    last = -(-(await comments.issue(thread)).comments // PAGE)
    seen: set[int] = set()
    for page in range(last, max(last - PAGES, 0), -1):
        found = list(enumerate(await comments.comments_on_page(thread, page), PAGE * (page - 1)))
        for older, comment in reversed(found):
            if comment.id not in seen:  # a page shifts when something is deleted while we read
                seen.add(comment.id)
                yield comment, older


async def _why_not(comment: ThreadComment, request: ThreadRequest, authors: "_Authors") -> WhyNotShown | None:
    if comment.is_bot:
        return "bot"
    # GitHub tells whole seconds: what is of the same one may be later.
    if max(comment.created_at, comment.updated_at) >= datetime.fromisoformat(request.asked_at):
        return "later"
    return await authors.why_not(comment)


class _Authors:
    """Who has write access, each asked once; the asker has been asked."""

    def __init__(self, request: ThreadRequest, people: GitHub, may_write: Callable[[str], bool]) -> None:
        self._people = people
        self._may_write = may_write
        self._known: dict[int, bool] = {request.actor.id: True}

    async def why_not(self, comment: ThreadComment) -> WhyNotShown | None:
        author = comment.author_id
        if author is None:
            return "no write access"
        if author not in self._known:
            if len(self._known) > AUTHORS:
                return "not asked"
            permission = await self._people.permission(comment.login)
            self._known[author] = permission.user_id == author and self._may_write(permission.level)
        return None if self._known[author] else "no write access"


def _cut(comment: ThreadComment) -> ThreadComment:
    """The ellipsis is where the redactor looks for the half of a secret."""
    if len(comment.body) <= LONGEST:
        return comment
    return comment.model_copy(update={"body": f"{comment.body[:LONGEST]}…"})
