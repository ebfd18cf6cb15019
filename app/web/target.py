"""What a request to `/code` names: a repository and perhaps a branch. Pure; a name is rebuilt from what was understood, never passed on."""

import re

from app.core.errors import UserError

_NAME = r"(?P<owner>[A-Za-z0-9][A-Za-z0-9_-]{0,38})/(?P<name>[A-Za-z0-9._-]{1,100}?)(?:\.git|/)?"
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)


def repository_of(url: str, server_url: str) -> str:
    """`owner/name` of a repository's page on this server, by one match of the whole address. Raises UserError for anything else."""
    found = re.fullmatch(f"(?i:{re.escape(server_url)})/{_NAME}", url, re.ASCII)
    if not found or found["name"] in (".", "..") or found["name"].lower().endswith(".git"):
        raise UserError(f"repo_url must be the address of a repository, {server_url}/owner/name, and nothing more.")
    return f"{found['owner']}/{found['name']}"


def branch_of(name: str) -> str:
    """The name, where git takes it as a branch's and no program takes it for anything else. Raises UserError."""
    parts = name.split("/")
    if (
        not _BRANCH.fullmatch(name)
        or not all(parts)
        or any(part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
        or ".." in name
        or parts[0].lower() == "refs"
        or name.upper() == "HEAD"
        or _SHA.fullmatch(name)
    ):
        raise UserError(
            "branch must be a plain branch name such as fix/login: at most 200 letters, digits and . _ / + -, and nothing that git refuses."
        )
    return name
