"""The ways from a head branch to a pull request, the best first; the one that was taken is named."""

from app.core.task import Repository, Request
from app.github.client import GitHub
from app.publish import by_hand, gh
from app.publish.pull_request import Unopened, open_pull
from app.publish.text import inline_code
from app.runs.ground import Ground
from app.runs.place import Offer, Opened

_LINE = 1_000
"""Characters of a line for the shell that are shown."""


async def opened(
    github: GitHub,
    ground: Ground,
    offer: Offer,
    head: str,
    *,
    server_url: str,
    fork: Repository | None = None,
    token: str = "",
) -> Opened:
    """By the API, or what exists; with a person's `token` by `gh`; else the branch stays, with what a person needs to go on.

    Raises NoCommits, Transient.
    """
    try:
        pull, via = await open_pull(
            github, title=offer.title, body=offer.body, head=head, base=ground.branch, draft=offer.draft, fork=fork
        )
        return Opened(via=via, url=pull.url, number=pull.number, draft=pull.draft)
    except Unopened as e:
        why = str(e)
    repository = ground.request.repository
    arguments = by_hand.gh_arguments(
        server_url, repository, base=ground.branch, head=head, fork=fork, title=offer.title, draft=offer.draft
    )
    if token and (made := await gh.create_pull(arguments, offer.body, server_url=server_url, token=token)):
        return Opened(via="gh", url=made[0], number=made[1], draft=offer.draft)
    line = inline_code(by_hand.gh_line(arguments, _note(ground.request)), _LINE)
    return Opened(
        via="link",
        missing=f"{why} The work is on the branch {head}; a person can open the pull request there, or with {line}.",
        compare_url=by_hand.compare_url(server_url, repository, ground.branch, head, fork),
    )


def _note(request: Request) -> str:
    return f"Fixes #{request.thread}" if request.thread else ""
