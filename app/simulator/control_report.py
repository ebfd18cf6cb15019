"""A repository's whole state, as a test wants to see it."""

from typing import Any

from app.simulator import git, pulls
from app.simulator.state import Comment, Issue, Reaction, Repository, World, iso


async def repository(world: World, it: Repository) -> dict[str, Any]:
    branches = await git.refs(it.path, "refs/heads/")
    issues = [issue for issue in it.issues.values() if issue.pull is None]
    opened = [issue for issue in it.issues.values() if issue.pull is not None]
    return {
        "id": it.id,
        "full_name": it.full_name,
        "default_branch": it.default_branch,
        "archived": it.archived,
        "issues": [_issue(issue) for issue in issues],
        "branches": {name.removeprefix("refs/heads/"): sha for name, sha in branches.items()},
        "pulls": [await _pull(it, issue) for issue in opened],
        "tokens": [
            {
                "value": token.value,
                "app_id": token.installation.app.id,
                "permissions": token.permissions,
                "repository_ids": [r.id for r in token.repositories],
                "revoked": token.revoked,
                "expires_at": iso(token.expires_at),
            }
            for token in world.tokens.values()
            if it in token.repositories
        ],
        "deliveries": [
            {
                "guid": d.guid,
                "event": d.event,
                "action": d.action,
                "attempts": [{"status": a.status, "ms": a.ms, "error": a.error} for a in d.attempts],
            }
            for d in world.deliveries.values()
            if d.repository_id == it.id
        ],
    }


def _issue(it: Issue) -> dict[str, Any]:
    return {
        "number": it.number,
        "title": it.title,
        "body": it.body,
        "author": it.author.login,
        "state": it.state,
        "locked": it.locked,
        "labels": [label.name for label in it.labels],
        "reactions": _reactions(it.reactions),
        "comments": [_comment(comment) for comment in it.comments],
    }


def _comment(it: Comment) -> dict[str, Any]:
    return {
        "id": it.id,
        "author": it.author.login,
        "body": it.body,
        "bodies": [{"at": at, "body": body} for at, body in it.bodies],
        "reactions": _reactions(it.reactions),
    }


def _reactions(reactions: list[Reaction]) -> list[dict[str, str]]:
    return [{"user": r.user.login, "content": r.content} for r in reactions]


async def _pull(repo: Repository, it: Issue) -> dict[str, Any]:
    pull = await pulls.refreshed(repo, it)
    return {
        **_issue(it),
        "draft": pull.draft,
        "head": pull.head,
        "head_sha": pull.head_sha,
        "base": pull.base,
        "diff": await git.diff(repo.path, f"refs/heads/{pull.base}", pull.head_sha),
    }
