"""The calls we make on one repository. What each may raise stands in `app.github.errors`; only exceptions to that are said here.

Calls that create are made once: after a lost reply (Transient) look up what there is before trying again. All others are safe to repeat.
"""

import base64
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from app.core.task import Repository
from app.github.errors import NotFound
from app.github.facts import (
    Comment,
    CommitFacts,
    IssueFacts,
    Level,
    Permission,
    Pull,
    RepositoryFacts,
    ThreadComment,
    TreeEntry,
)
from app.github.rest import PAGE, Rest

Reaction = Literal["+1", "eyes", "rocket", "confused"]


class GitHub:
    """One repository, by one token's permissions."""

    def __init__(self, rest: Rest, repository: Repository) -> None:
        self._rest = rest
        self._repository = repository

    async def repository(self) -> RepositoryFacts:
        reply = await self._get("")
        return RepositoryFacts(
            id=reply["id"],
            full_name=reply["full_name"],
            default_branch=reply["default_branch"],
            archived=reply["archived"],
            private=reply["private"],
            may_push=reply.get("permissions", {}).get("push", False),
            may_fork=reply.get("allow_forking", True),
            parent_id=reply["parent"]["id"] if reply.get("parent") else None,
        )

    async def fork(self) -> Repository:
        """The fork of whoever's token this is: the one that there is, or a new one, which holds its commits some time later."""
        reply = await self._write("POST", "/forks", {"default_branch_only": True}, again=True)
        return Repository(id=reply["id"], full_name=reply["full_name"])

    async def permission(self, login: str) -> Permission:
        """What this account may do; level "none" for one that does not exist."""
        try:
            reply = await self._get("/collaborators/{login}/permission", login=login)
        except NotFound:
            return Permission(user_id=None, level="none")
        levels: dict[str, Level] = {level: level for level in get_args(Level)}
        level = levels.get(reply.get("role_name", "")) or levels.get(reply["permission"], "none")
        return Permission(user_id=(reply.get("user") or {}).get("id"), level=level)

    async def user_id(self, login: str) -> int:
        reply = await self._rest.get("/users/{login}", {"login": login})
        return int(reply["id"])

    async def issue(self, number: int) -> IssueFacts:
        reply = await self._get("/issues/{number}", number=number)
        return IssueFacts(
            state=reply["state"],
            locked=reply["locked"],
            is_pull_request="pull_request" in reply,
            labels=tuple(label if isinstance(label, str) else label.get("name") or "" for label in reply["labels"]),
            comments=reply.get("comments", 0),
        )

    async def react_to_comment(self, comment_id: int, content: Reaction) -> None:
        await self._write("POST", "/issues/comments/{id}/reactions", {"content": content}, again=True, id=comment_id)

    async def react_to_issue(self, number: int, content: Reaction) -> None:
        await self._write("POST", "/issues/{number}/reactions", {"content": content}, again=True, number=number)

    async def comments(self, thread: int, since: str | None = None) -> AsyncIterator[Comment]:
        """Oldest first. `since`: ISO 8601, only those made or edited from then on."""
        path = self._path("/issues/{number}/comments{?since,per_page,page}")
        async for reply in self._rest.pages(path, self._values(number=thread, since=since)):
            yield Comment(**_comment(reply))

    async def comments_on_page(self, thread: int, page: int) -> list[ThreadComment]:
        """The comments from number `PAGE * (page - 1)` on, oldest first."""
        path = "/issues/{number}/comments{?per_page,page}"
        return [_thread_comment(reply) for reply in await self._get(path, number=thread, per_page=PAGE, page=page)]

    async def comment_body(self, comment_id: int) -> str | None:
        """What a comment says now; None where it was deleted."""
        try:
            return str((await self._get("/issues/comments/{id}", id=comment_id)).get("body") or "")
        except NotFound:
            return None

    async def find_comment(self, thread: int, marker: str, author_id: int, since: str | None = None) -> int | None:
        """The id of the first comment by this account that begins with this marker: anybody can copy it, nobody else can be the author."""
        async for comment in self.comments(thread, since):
            if comment.author_id == author_id and comment.body.startswith(marker):
                return comment.id
        return None

    async def create_comment(self, thread: int, body: str) -> int:
        """Its id."""
        reply = await self._write("POST", "/issues/{number}/comments", {"body": body}, again=False, number=thread)
        return int(reply["id"])

    async def edit_comment(self, comment_id: int, body: str) -> str:
        """What it says then. Waits for the installation's turn to write: for words that must land."""
        reply = await self._write("PATCH", "/issues/comments/{id}", {"body": body}, again=True, id=comment_id)
        return str((reply or {}).get("body") or "")

    async def try_edit_comment(self, comment_id: int, body: str, *, says_why: bool = False) -> bool:
        """Edit it if that costs nobody else a turn, else False: for words that newer ones will replace. `says_why`: see `Lane.try_take`."""
        if not self._rest.lane.try_take(says_why=says_why):
            return False
        path = self._path("/issues/comments/{id}")
        await self._rest.send("PATCH", path, self._values(id=comment_id), {"body": body}, again=True)
        return True

    async def branch(self, name: str) -> CommitFacts | None:
        """The head of exactly this branch, or None. (GitHub's `branches` address would follow one that was renamed.)"""
        try:
            reply = await self._get("/git/ref/heads{/segments*}", segments=name.split("/"))
        except NotFound:
            return None
        return await self.commit(reply["object"]["sha"])

    async def is_protected(self, branch: str) -> bool:
        return bool((await self._get("/branches{/segments*}", segments=branch.split("/")))["protected"])

    async def commit(self, sha: str) -> CommitFacts:
        return _commit(await self._get("/git/commits/{sha}", sha=sha))

    async def create_blob(self, content: bytes) -> str:
        """Its SHA. The same content again is the same blob."""
        data = {"content": base64.b64encode(content).decode(), "encoding": "base64"}
        reply = await self._write("POST", "/git/blobs", data, again=True)
        return str(reply["sha"])

    async def create_tree(self, base_tree: str, entries: Sequence[TreeEntry]) -> str:
        """SHA of the base tree with these entries laid over it. The same again is the same tree."""
        data = {"base_tree": base_tree, "tree": [_tree_entry(e) for e in entries]}
        reply = await self._write("POST", "/git/trees", data, again=True)
        return str(reply["sha"])

    async def create_commit(self, message: str, tree: str, parent: str) -> str:
        """SHA of a commit that is on no branch yet, so another one does no harm. Without an author it is the App's, and GitHub signs it."""
        data = {"message": message, "tree": tree, "parents": [parent]}
        reply = await self._write("POST", "/git/commits", data, again=True)
        return str(reply["sha"])

    async def create_branch(self, name: str, sha: str) -> None:
        """Raises Conflict where the branch exists."""
        await self._write("POST", "/git/refs", {"ref": f"refs/heads/{name}", "sha": sha}, again=False)

    async def move_branch(self, name: str, sha: str) -> None:
        """Forward only: raises Conflict where that is not ahead of it, or the branch may not be moved."""
        data = {"sha": sha, "force": False}
        path = "/git/refs/heads{/segments*}"
        await self._write("PATCH", path, data, again=True, segments=name.split("/"))

    async def delete_branch(self, name: str, sha: str) -> None:
        """Where it is still at this commit: what somebody has added since stays. Raises Conflict where it may not be deleted."""
        now = await self.branch(name)
        if now and now.sha == sha:
            await self._write("DELETE", "/git/refs/heads{/segments*}", b"", again=True, segments=name.split("/"))

    async def pulls_of(self, head: str, fork: Repository | None = None) -> list[Pull]:
        """The pull requests, open and closed, from this branch of this repository, or of a fork of it; the newest first."""
        source = fork or self._repository
        path = "/pulls{?head,state,per_page}"
        found = await self._get(path, head=f"{source.owner}:{head}", state="all", per_page=100)
        same = [(reply, reply["head"]) for reply in found if reply["head"]["ref"] == head]
        return [_pull(reply) for reply, side in same if (side.get("repo") or {}).get("id") == source.id]

    async def create_pull(
        self, *, title: str, body: str, head: str, base: str, draft: bool, fork: Repository | None = None
    ) -> Pull:
        """From the branch `head`, of this repository or of a fork of it."""
        data: dict[str, Any] = {"title": title, "body": body, "head": head, "base": base, "draft": draft}
        if fork:
            data |= {"head": f"{fork.owner}:{head}", "maintainer_can_modify": True}
        return _pull(await self._write("POST", "/pulls", data, again=False))

    async def edit_pull(self, number: int, body: str) -> None:
        await self._write("PATCH", "/pulls/{number}", {"body": body}, again=True, number=number)

    async def _get(self, path: str, **values: str | int | list[str]) -> Any:
        return await self._rest.get(self._path(path), self._values(**values))

    async def _write(self, method: str, path: str, data: Any, *, again: bool, **values: str | int | list[str]) -> Any:
        return await self._rest.write(method, self._path(path), self._values(**values), data, again=again)

    def _path(self, path: str) -> str:
        return "/repos/{owner}/{repo}" + path

    def _values(self, **values: str | int | list[str] | None) -> dict[str, str | int | list[str] | None]:
        return {"owner": self._repository.owner, "repo": self._repository.name, **values}


def _commit(reply: Any) -> CommitFacts:
    return CommitFacts(
        sha=reply["sha"],
        tree=reply["tree"]["sha"],
        parents=tuple(parent["sha"] for parent in reply["parents"]),
        message=reply["message"],
    )


def _comment(reply: Any) -> dict[str, Any]:
    return {
        "id": reply["id"],
        "author_id": (reply.get("user") or {}).get("id"),
        "body": reply.get("body") or "",
    }


def _thread_comment(reply: Any) -> ThreadComment:
    author = reply.get("user") or {"login": "", "type": "User"}
    return ThreadComment(
        **_comment(reply),
        login=author["login"],
        is_bot=author["type"] != "User",
        created_at=datetime.fromisoformat(reply["created_at"]),
        updated_at=datetime.fromisoformat(reply["updated_at"]),
    )


def _pull(reply: Any) -> Pull:
    return Pull(
        number=reply["number"],
        url=reply["html_url"],
        draft=bool(reply.get("draft")),
        state=reply["state"],
        base=reply["base"]["ref"],
        body=reply.get("body") or "",
    )


def _tree_entry(entry: TreeEntry) -> dict[str, str | None]:
    fields: dict[str, str | None] = {
        "path": entry.path,
        "mode": entry.mode,
        "type": "commit" if entry.mode == "160000" else "blob",
    }
    return fields | ({"content": entry.text} if entry.text is not None else {"sha": entry.blob})
