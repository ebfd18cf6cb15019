"""Git Data: blobs, trees and commits, in the real repository."""

import base64
import binascii
from typing import Any

from aiohttp import web

from app.simulator import auth, git
from app.simulator.commits import account_person, git_commit_view, github_person
from app.simulator.keys import WORLD
from app.simulator.problems import Problem, not_found
from app.simulator.rest.wire import Routes, body_of, reply, text
from app.simulator.state import Repository, Token, World

MODES = {"100644": "blob", "100755": "blob", "120000": "blob", "040000": "tree", "160000": "commit"}
WORKFLOWS = ".github/workflows"


async def git_repository(request: web.Request, level: str) -> Repository:
    """The repository of the path, where it holds commits at all. Raises Problem."""
    repository = auth.allow(request, f"contents:{level}")
    if repository.ready_at > request.app[WORLD].now() or not await git.refs(repository.path, "refs/heads/"):
        raise Problem(409, "Git Repository is empty.")
    return repository


async def create_blob(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], await git_repository(request, "write")
    data = await body_of(request)
    encoding, content = text(data, "encoding", default="utf-8"), text(data, "content")
    if encoding not in ("utf-8", "base64"):
        raise Problem(422, f"Invalid request.\n\n{encoding} is not a possible encoding.")
    try:
        raw = base64.b64decode(content) if encoding == "base64" else content.encode()
    except binascii.Error:
        raise Problem(422, "content is not valid Base64") from None
    sha = await git.write_blob(repository.path, raw)
    return reply({"sha": sha, "url": f"{world.api}/repos/{repository.full_name}/git/blobs/{sha}"}, status=201)


async def create_tree(request: web.Request) -> web.Response:
    repository = await git_repository(request, "write")
    data = await body_of(request)
    base = text(data, "base_tree", default="") or None
    entries = data.get("tree")
    if not isinstance(entries, list) or not entries:
        raise Problem(422, "Invalid tree info")
    if base and await git.resolve(repository.path, base, "tree") is None:
        raise Problem(422, "base_tree is not a valid tree oid")
    _forbid_workflows(request, repository, entries)
    deleted = [e["path"] for e in entries if isinstance(e, dict) and "sha" in e and e["sha"] is None and "path" in e]
    changed = [await _entry(repository, e) for e in entries if not (isinstance(e, dict) and e.get("path") in deleted)]
    try:
        sha = await git.write_tree(repository.path, base, changed, deleted)
    except git.GitError as e:
        words = (
            "GitRPC::BadObjectState" if "did not match" in str(e) else "tree.path contains a malformed path component"
        )
        raise Problem(422, words) from None
    return reply(await _tree(request.app[WORLD], repository, sha, recursive=False), status=201)


def _forbid_workflows(request: web.Request, repository: Repository, entries: list[Any]) -> None:
    touched = any(isinstance(e, dict) and str(e.get("path", "")).startswith(WORKFLOWS + "/") for e in entries)
    token = auth.token_of(request)
    if touched and not auth.permits(token, repository, "workflows:write"):
        raise Problem(403, f"Resource not accessible by {auth.kind_of(token)}")


async def _entry(repository: Repository, asked: Any) -> git.Entry:
    """A file of the new tree: bytes that are there already, or text sent along."""
    if not isinstance(asked, dict):
        raise Problem(422, "Invalid tree info")
    path, mode, content, sha = (asked.get(name) for name in ("path", "mode", "content", "sha"))
    if not isinstance(path, str) or mode not in MODES or (content is None) == (sha is None):
        raise Problem(422, "Must supply either tree.sha or tree.content with tree.path and a valid tree.mode")
    if asked.get("type", MODES[mode]) != MODES[mode]:
        raise Problem(422, "tree.type does not fit tree.mode")
    if any(part.lower() in ("", ".", "..", ".git") for part in path.split("/")):
        raise Problem(422, "tree.path contains a malformed path component")
    if content is not None:
        if not isinstance(content, str):
            raise Problem(422, "tree.content is not a string")
        sha = await git.write_blob(repository.path, content.encode())
    elif mode != "160000" and await _kind(repository, str(sha)) != MODES[mode]:
        raise Problem(422, f"tree.sha {sha} is not a valid {MODES[mode]}")
    return git.Entry(mode, str(sha), path, MODES[mode])


async def _kind(repository: Repository, sha: str) -> str | None:
    return await git.kind_of(repository.path, sha) if git.SHA.fullmatch(sha) else None


async def get_tree(request: web.Request) -> web.Response:
    repository = await git_repository(request, "read")
    sha = await git.resolve(repository.path, request.match_info["tree_sha"], "tree")
    if sha is None:
        raise not_found()
    return reply(await _tree(request.app[WORLD], repository, sha, recursive="recursive" in request.query))


async def _tree(world: World, repository: Repository, sha: str, *, recursive: bool) -> dict[str, Any]:
    base = f"{world.api}/repos/{repository.full_name}/git"
    entries = [
        {
            "path": e.path,
            "mode": e.mode,
            "type": e.kind,
            "sha": e.sha,
            **({"size": e.size} if e.size is not None else {}),
            **({"url": f"{base}/{e.kind}s/{e.sha}"} if e.kind != "commit" else {}),
        }
        for e in await git.read_tree(repository.path, sha, recursive=recursive)
    ]
    return {"sha": sha, "url": f"{base}/trees/{sha}", "tree": entries, "truncated": False}


async def create_commit(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], await git_repository(request, "write")
    data, token, now = await body_of(request), auth.token_of(request), request.app[WORLD].now()
    message, tree, parents = text(data, "message"), text(data, "tree"), data.get("parents", [])
    if await _kind(repository, tree) != "tree":
        raise Problem(422, "Tree SHA does not exist")
    for parent in parents:
        if await _kind(repository, str(parent)) != "commit":
            raise Problem(422, "Parent SHA does not exist or is not a commit object")
    unnamed = "author" not in data and "committer" not in data
    author = _person(data["author"], now) if "author" in data else account_person(token.author, now)
    committer = _person(data["committer"], now) if "committer" in data else github_person(now) if unnamed else author
    sha = await git.write_commit(
        repository.path, tree=tree, parents=parents, message=message, author=author, committer=committer
    )
    if unnamed and isinstance(token, Token):
        repository.signed.add(sha)
    commit = await git.read_commit(repository.path, sha)
    return reply(git_commit_view(world, repository, commit), status=201)


def _person(asked: dict[str, str], now: float) -> git.Person:
    return git.Person(text(asked, "name"), text(asked, "email"), asked.get("date") or github_person(now).date)


async def get_commit(request: web.Request) -> web.Response:
    world, repository = request.app[WORLD], await git_repository(request, "read")
    sha = request.match_info["commit_sha"]
    if await _kind(repository, sha) != "commit":
        raise not_found()
    return reply(git_commit_view(world, repository, await git.read_commit(repository.path, sha)))


ROUTES: Routes = [
    ("POST", "/git/blobs", create_blob),
    ("POST", "/git/trees", create_tree),
    ("GET", "/git/trees/{tree_sha}", get_tree),
    ("POST", "/git/commits", create_commit),
    ("GET", "/git/commits/{commit_sha}", get_commit),
]
