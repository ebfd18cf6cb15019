"""GitHub's JSON for commits, and who makes them."""

from typing import Any

from app.simulator import git
from app.simulator.state import Account, Repository, World, iso
from app.simulator.views import node

GITHUB = ("GitHub", "noreply@github.com")


def account_person(account: Account, at: float) -> git.Person:
    return git.Person(account.login, f"{account.id}+{account.login}@users.noreply.github.com", iso(at))


def github_person(at: float) -> git.Person:
    return git.Person(*GITHUB, iso(at))


def _person(it: git.Person) -> dict[str, str]:
    return {"name": it.name, "email": it.email, "date": it.date}


def git_commit_view(world: World, repo: Repository, it: git.Commit) -> dict[str, Any]:
    """As Git Data shows it."""
    base, page = f"{world.api}/repos/{repo.full_name}", f"{world.url}/{repo.full_name}"
    signed = it.sha in repo.signed
    return {
        "sha": it.sha,
        "node_id": node("C", repo.id) + it.sha[:12],
        "url": f"{base}/git/commits/{it.sha}",
        "html_url": f"{page}/commit/{it.sha}",
        "author": _person(it.author),
        "committer": _person(it.committer),
        "message": it.message,
        "tree": {"sha": it.tree, "url": f"{base}/git/trees/{it.tree}"},
        "parents": [{"sha": p, "url": f"{base}/git/commits/{p}", "html_url": f"{page}/commit/{p}"} for p in it.parents],
        "verification": {
            "verified": signed,
            "reason": "valid" if signed else "unsigned",
            "signature": "-----BEGIN PGP SIGNATURE-----" if signed else None,
            "payload": f"tree {it.tree}" if signed else None,
            "verified_at": it.committer.date if signed else None,
        },
    }


def commit_view(world: World, repo: Repository, it: git.Commit) -> dict[str, Any]:
    """As a branch shows its head."""
    base = f"{world.api}/repos/{repo.full_name}"
    whole = git_commit_view(world, repo, it)
    inner = {name: whole[name] for name in ("author", "committer", "message", "tree", "verification")}
    return {
        **{name: whole[name] for name in ("sha", "node_id", "html_url")},
        "url": f"{base}/commits/{it.sha}",
        "comments_url": f"{base}/commits/{it.sha}/comments",
        "commit": {**inner, "url": whole["url"], "comment_count": 0},
        "author": None,
        "committer": None,
        "parents": [{**p, "url": f"{base}/commits/{p['sha']}"} for p in whole["parents"]],
    }
