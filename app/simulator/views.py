"""GitHub's JSON for what there is: every field that its description requires, truthful where it matters to an App."""

from typing import Any

from app.simulator.state import Account, App, Comment, Installation, Issue, Label, Reaction, Repository, World, iso

JSON = dict[str, Any]

REPOSITORY_URLS = {
    "archive": "/{archive_format}{/ref}", "assignees": "/assignees{/user}", "blobs": "/git/blobs{/sha}",
    "branches": "/branches{/branch}", "collaborators": "/collaborators{/collaborator}", "comments": "/comments{/number}",
    "commits": "/commits{/sha}", "compare": "/compare/{base}...{head}", "contents": "/contents/{+path}",
    "contributors": "/contributors", "deployments": "/deployments", "downloads": "/downloads", "events": "/events",
    "forks": "/forks", "git_commits": "/git/commits{/sha}", "git_refs": "/git/refs{/sha}", "git_tags": "/git/tags{/sha}",
    "hooks": "/hooks", "issue_comment": "/issues/comments{/number}", "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}", "keys": "/keys{/key_id}", "labels": "/labels{/name}", "languages": "/languages",
    "merges": "/merges", "milestones": "/milestones{/number}", "notifications": "/notifications{?since,all,participating}",
    "pulls": "/pulls{/number}", "releases": "/releases{/id}", "stargazers": "/stargazers", "statuses": "/statuses/{sha}",
    "subscribers": "/subscribers", "subscription": "/subscription", "tags": "/tags", "teams": "/teams",
    "trees": "/git/trees{/sha}",
}  # fmt: skip
USER_URLS = {
    "events": "/events{/privacy}", "followers": "/followers", "following": "/following{/other_user}",
    "gists": "/gists{/gist_id}", "organizations": "/orgs", "received_events": "/received_events", "repos": "/repos",
    "starred": "/starred{/owner}{/repo}", "subscriptions": "/subscriptions",
}  # fmt: skip
NOTHING_YET: JSON = {
    "description": None, "homepage": None, "language": None, "license": None, "mirror_url": None, "fork": False,
    "forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "network_count": 0,
    "subscribers_count": 0, "size": 1, "disabled": False, "has_issues": True, "has_projects": False, "has_wiki": False,
    "has_pages": False, "has_discussions": False, "has_downloads": False, "is_template": False, "topics": [],
    "allow_forking": True, "web_commit_signoff_required": False,
}  # fmt: skip


def node(kind: str, number: int) -> str:
    return f"{kind}_{number:012d}"


def page(world: World, account: Account) -> str:
    name = account.login.removesuffix("[bot]")
    return f"{world.url}/apps/{name}" if account.type == "Bot" else f"{world.url}/{name}"


def user(world: World, account: Account) -> JSON:
    url = f"{world.api}/users/{account.login.replace('[', '%5B').replace(']', '%5D')}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node("U", account.id),
        "avatar_url": f"{world.url}/avatars/{account.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": page(world, account),
        **{f"{name}_url": url + tail for name, tail in USER_URLS.items()},
        "type": account.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def profile(world: World, account: Account) -> JSON:
    nothing = dict.fromkeys(("name", "company", "location", "email", "hireable", "bio", "twitter_username"))
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    times = {"created_at": iso(0), "updated_at": iso(0)}
    return {**user(world, account), **nothing, "blog": "", **counts, **times}


def repository(world: World, it: Repository) -> JSON:
    url, page_url = f"{world.api}/repos/{it.full_name}", f"{world.url}/{it.full_name}"
    issues = sum(i.state == "open" for i in it.issues.values())
    host = world.url.removeprefix("http://")
    return {
        "id": it.id,
        "node_id": node("R", it.id),
        "name": it.name,
        "full_name": it.full_name,
        "private": it.private,
        "visibility": "private" if it.private else "public",
        "owner": user(world, it.owner),
        "html_url": page_url,
        "url": url,
        **{f"{name}_url": url + tail for name, tail in REPOSITORY_URLS.items()},
        "clone_url": f"{page_url}.git",
        "git_url": f"git://{host}/{it.full_name}.git",
        "ssh_url": f"git@{host}:{it.full_name}.git",
        "svn_url": page_url,
        "default_branch": it.default_branch,
        "archived": it.archived,
        "created_at": iso(it.created_at),
        "updated_at": iso(it.created_at),
        "pushed_at": iso(it.created_at),
        "open_issues": issues,
        "open_issues_count": issues,
        **NOTHING_YET,
        "fork": it.parent is not None,
    }


def app(world: World, it: App) -> JSON:
    return {
        "id": it.id,
        "slug": it.slug,
        "node_id": node("A", it.id),
        "client_id": f"Iv23li{it.id:014d}",
        "owner": user(world, it.owner),
        "name": it.slug,
        "description": None,
        "external_url": f"{world.url}/apps/{it.slug}",
        "html_url": f"{world.url}/apps/{it.slug}",
        "created_at": iso(it.created_at),
        "updated_at": iso(it.created_at),
        "permissions": it.permissions,
        "events": it.events,
    }


def installation(world: World, it: Installation) -> JSON:
    return {
        "id": it.id,
        "account": user(world, it.account),
        "repository_selection": "selected",
        "access_tokens_url": f"{world.api}/app/installations/{it.id}/access_tokens",
        "repositories_url": f"{world.api}/installation/repositories",
        "html_url": f"{world.url}/settings/installations/{it.id}",
        "app_id": it.app.id,
        "app_slug": it.app.slug,
        "target_id": it.account.id,
        "target_type": it.account.type,
        "permissions": it.app.permissions,
        "events": it.app.events,
        "created_at": iso(it.created_at),
        "updated_at": iso(it.created_at),
        "single_file_name": None,
        "suspended_by": user(world, it.account) if it.suspended_at else None,
        "suspended_at": iso(it.suspended_at) if it.suspended_at else None,
    }


def association(repo: Repository, author: Account) -> str:
    if author.id == repo.owner.id:
        return "OWNER"
    return "COLLABORATOR" if author.id in repo.roles else "NONE"


def rollup(url: str, reactions: list[Reaction]) -> JSON:
    names = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    counts = {name: sum(r.content == name for r in reactions) for name in names}
    return {"url": f"{url}/reactions", "total_count": len(reactions), **counts}


def reaction(world: World, it: Reaction) -> JSON:
    return {
        "id": it.id,
        "node_id": node("RE", it.id),
        "user": user(world, it.user),
        "content": it.content,
        "created_at": iso(it.created_at),
    }


def label(world: World, repo: Repository, it: Label) -> JSON:
    return {
        "id": it.id,
        "node_id": node("LA", it.id),
        "url": f"{world.api}/repos/{repo.full_name}/labels/{it.name}",
        "name": it.name,
        "color": "ededed",
        "default": False,
        "description": None,
    }


def issue(world: World, repo: Repository, it: Issue) -> JSON:
    base = f"{world.api}/repos/{repo.full_name}"
    url, page_url = f"{base}/issues/{it.number}", issue_page(world, repo, it)
    pull = {"url": f"{base}/pulls/{it.number}", "html_url": page_url, "diff_url": f"{page_url}.diff",
            "patch_url": f"{page_url}.patch", "merged_at": None}  # fmt: skip
    return {
        "id": it.id,
        "node_id": node("I", it.id),
        "number": it.number,
        "url": url,
        "repository_url": base,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": page_url,
        "title": it.title,
        "body": it.body or None,
        "user": user(world, it.author),
        "labels": [label(world, repo, one) for one in it.labels],
        "state": it.state,
        "state_reason": "completed" if it.state == "closed" else None,
        "locked": it.locked,
        "active_lock_reason": None,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(it.comments),
        "created_at": iso(it.created_at),
        "updated_at": iso(it.updated_at),
        "closed_at": iso(it.closed_at) if it.closed_at else None,
        "author_association": association(repo, it.author),
        "performed_via_github_app": None,
        "reactions": rollup(url, it.reactions),
        **({"pull_request": pull, "draft": it.pull.draft} if it.pull else {}),
    }


def issue_page(world: World, repo: Repository, it: Issue) -> str:
    return f"{world.url}/{repo.full_name}/{'pull' if it.pull else 'issues'}/{it.number}"


def comment(world: World, repo: Repository, it: Comment) -> JSON:
    url = f"{world.api}/repos/{repo.full_name}/issues/comments/{it.id}"
    return {
        "id": it.id,
        "node_id": node("IC", it.id),
        "url": url,
        "html_url": f"{issue_page(world, repo, repo.issues[it.number])}#issuecomment-{it.id}",
        "issue_url": f"{world.api}/repos/{repo.full_name}/issues/{it.number}",
        "user": user(world, it.author),
        "body": it.body,
        "created_at": iso(it.created_at),
        "updated_at": iso(it.updated_at),
        "author_association": association(repo, it.author),
        "performed_via_github_app": app(world, it.app) if it.app else None,
        "reactions": rollup(url, it.reactions),
    }
