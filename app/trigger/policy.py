"""What a delivery asks for, decided from its payload alone: a ThreadRequest, a Control, or nothing."""

from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import ValidationError

from app.core.task import Actor, Control, Repository, ThreadRequest, Word
from app.trigger.command import Command, parse
from app.trigger.payload import Identified, Issue, IssueComment, IssueLabeled, Removal

LABEL_INSTRUCTION = "Resolve this issue."
_P = TypeVar("_P", IssueComment, IssueLabeled, Removal)


class BadPayload(ValueError):
    """GitHub would not send this; the message names the fields, never their values."""


def decide(event: str, payload: dict[str, Any], delivery: str, *, label: str) -> ThreadRequest | Control | None:
    """Only a new comment of a person, or our label set by one, asks for anything; None for everything else.

    Whether that person may ask is not known here: see `may_start`. Raises BadPayload.
    """
    match event, payload.get("action"):
        case "issue_comment", "created":
            return _commented(_parsed(IssueComment, payload), delivery)
        case "issues", "labeled":
            return _labeled(_parsed(IssueLabeled, payload), delivery, label)
    return None


class Access(NamedTuple):
    """What the App may do has changed."""

    how: Literal["removed", "suspended", "restored"]
    installation: int
    repositories: tuple[int, ...] = ()
    """Ids, where it was removed."""
    whole: bool = True
    """Not these repositories alone, but all of the installation."""


def access(event: str, payload: dict[str, Any]) -> Access | None:
    """None where the App may do what it might before. Raises BadPayload."""
    match event, payload.get("action"):
        case "installation", "deleted":
            said = _parsed(Removal, payload)
            return Access("removed", said.installation.id, _ids(said.repositories))
        case "installation_repositories", "removed":
            said = _parsed(Removal, payload)
            return Access("removed", said.installation.id, _ids(said.repositories_removed), whole=False)
        case "installation", "suspend":
            return Access("suspended", _parsed(Removal, payload).installation.id)
        case "installation", "unsuspend":
            return Access("restored", _parsed(Removal, payload).installation.id)
    return None


def _ids(repositories: list[Identified]) -> tuple[int, ...]:
    return tuple(repository.id for repository in repositories)


def may_start(level: str) -> bool:
    """Whether this permission on the repository, as the collaborator API names it, starts or steers work."""
    return level in ("write", "maintain", "admin")


def _commented(said: IssueComment, delivery: str) -> ThreadRequest | Control | None:
    comment, issue = said.comment, said.issue
    if said.sender.type != "User" or comment.user is None or said.sender.id != comment.user.id:
        return None
    command = parse(comment.body)
    if command is None:
        return None
    common = _who_and_where(said, delivery) | {"key": f"c-{said.repository.id}-{comment.id}", "comment_id": comment.id}
    word = _control_word(command, issue)
    if word:
        return Control(**common, word=word, said=command.text if word in ("later", "approve") else "")
    return ThreadRequest(
        **common,
        instruction=command.text,
        title=issue.title,
        body=issue.body or "",
        url=comment.html_url,
        asked_at=comment.created_at,
    )


def _labeled(said: IssueLabeled, delivery: str, label: str) -> ThreadRequest | Control | None:
    issue = said.issue
    if said.sender.type != "User" or said.label.name.casefold() != label.casefold() or issue.pull_request is not None:
        return None
    moment = "".join(c for c in issue.updated_at.lower() if c.isalnum())
    key = f"l-{said.repository.id}-{issue.number}-{moment}"
    common = _who_and_where(said, delivery) | {"key": key, "comment_id": None}
    if _over(issue):
        return Control(**common, word="closed")
    return ThreadRequest(
        **common,
        instruction=LABEL_INSTRUCTION,
        title=issue.title,
        body=issue.body or "",
        url=issue.html_url,
        asked_at=issue.updated_at,
    )


def _control_word(command: Command, issue: Issue) -> Word | None:
    if command.kind in ("help", "approve"):
        return command.kind
    if issue.pull_request is not None:
        return "pull_request"
    if command.kind == "prompt":
        return "closed" if _over(issue) else None
    return command.kind


def _over(issue: Issue) -> bool:
    return issue.state != "open" or issue.locked


def _who_and_where(said: IssueComment | IssueLabeled, delivery: str) -> dict[str, Any]:
    """What a ThreadRequest and a Control have in common."""
    return {
        "delivery": delivery,
        "installation": said.installation.id,
        "repository": Repository(id=said.repository.id, full_name=said.repository.full_name),
        "thread": said.issue.number,
        "actor": Actor(id=said.sender.id, login=said.sender.login),
    }


def _parsed(kind: type[_P], payload: dict[str, Any]) -> _P:
    try:
        return kind.model_validate(payload)
    except ValidationError as e:
        fields = {".".join(str(part) for part in error["loc"]) for error in e.errors(include_input=False)}
        raise BadPayload("malformed or missing: " + ", ".join(sorted(fields))) from None
