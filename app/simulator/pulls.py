"""GitHub's JSON for pull requests. The head follows its branch while the pull request is open."""

from typing import Any

from app.simulator import git, views
from app.simulator.state import Issue, Pull, Repository, World


async def short_view(world: World, repo: Repository, issue: Issue) -> dict[str, Any]:
    """As a list shows it."""
    pull = await refreshed(repo, issue)
    base_sha = await git.resolve(repo.path, f"refs/heads/{pull.base}") or git.NONE
    api, number = f"{world.api}/repos/{repo.full_name}", issue.number
    as_issue = views.issue(world, repo, issue)
    same = (
        "assignee", "assignees", "author_association", "body", "closed_at", "created_at", "html_url", "labels", "locked",
        "milestone", "number", "state", "title", "updated_at", "user", "active_lock_reason", "comments_url",
    )  # fmt: skip
    urls = {
        "url": f"{api}/pulls/{number}",
        "issue_url": f"{api}/issues/{number}",
        "commits_url": f"{api}/pulls/{number}/commits",
        "review_comments_url": f"{api}/pulls/{number}/comments",
        "review_comment_url": f"{api}/pulls/comments{{/number}}",
        "statuses_url": f"{api}/statuses/{pull.head_sha}",
        "diff_url": as_issue["pull_request"]["diff_url"],
        "patch_url": as_issue["pull_request"]["patch_url"],
    }
    linked = ("issue", "commits", "review_comments", "review_comment", "statuses")
    return {
        **{name: as_issue[name] for name in same},
        **urls,
        "id": pull.id,
        "node_id": views.node("PR", pull.id),
        "draft": pull.draft,
        "head": _side(world, pull.fork or repo, pull.head, pull.head_sha),
        "base": _side(world, repo, pull.base, base_sha),
        "merge_commit_sha": None,
        "merged_at": None,
        "auto_merge": None,
        "requested_reviewers": [],
        "requested_teams": [],
        "_links": {
            **{name: {"href": urls[f"{name}_url"]} for name in linked},
            "self": {"href": urls["url"]},
            "html": {"href": as_issue["html_url"]},
            "comments": {"href": as_issue["comments_url"]},
        },
    }


async def view(world: World, repo: Repository, issue: Issue) -> dict[str, Any]:
    """As it shows itself."""
    short = await short_view(world, repo, issue)
    base, head = short["base"]["sha"], short["head"]["sha"]
    files, added, removed = await git.stat(repo.path, base, head)
    return {
        **short,
        "commits": await git.count(repo.path, base, head),
        "changed_files": files,
        "additions": added,
        "deletions": removed,
        "comments": len(issue.comments),
        "review_comments": 0,
        "maintainer_can_modify": issue.pull is not None and issue.pull.maintainer_can_modify,
        "mergeable": None,
        "mergeable_state": "unknown",
        "rebaseable": None,
        "merged": False,
        "merged_by": None,
    }


async def refreshed(repo: Repository, issue: Issue) -> Pull:
    """The pull request with the head that its branch has now."""
    assert issue.pull is not None
    head = issue.pull.fork or repo
    now = await git.resolve(head.path, f"refs/heads/{issue.pull.head}")
    if now and issue.state == "open" and now != issue.pull.head_sha:
        issue.pull.head_sha = now
        await git.take_over(repo.path, head.path, now)
        await git.update_ref(repo.path, f"refs/pull/{issue.number}/head", now)
    return issue.pull


def _side(world: World, repo: Repository, ref: str, sha: str) -> dict[str, Any]:
    return {
        "label": f"{repo.owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": views.user(world, repo.owner),
        "repo": views.repository(world, repo),
    }
