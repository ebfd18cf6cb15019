"""What a person needs to open a pull request that we could not: pure."""

import shlex
from urllib.parse import quote, urlsplit

from app.core.task import Repository


def compare_url(server_url: str, repository: Repository, base: str, head: str, fork: Repository | None) -> str:
    """GitHub's page with the form for it."""
    owner = (fork or repository).owner
    return f"{server_url}/{repository.full_name}/compare/{quote(base)}...{quote(owner)}:{quote(head)}?expand=1"


def gh_arguments(
    server_url: str, repository: Repository, *, base: str, head: str, fork: Repository | None, title: str, draft: bool
) -> list[str]:
    """For GitHub's own program; the body comes by standard input."""
    where = f"{urlsplit(server_url).netloc}/{repository.full_name}"
    name = f"{fork.owner}:{head}" if fork else head
    return [
        "pr", "create", f"--repo={where}", f"--base={base}", f"--head={name}", f"--title={title}", "--body-file=-",
        *(["--draft"] if draft else []),
    ]  # fmt: skip


def gh_line(arguments: list[str], note: str) -> str:
    """The same for a person's shell, with a short body."""
    return shlex.join(["gh", *(f"--body={note}" if word == "--body-file=-" else word for word in arguments)])
