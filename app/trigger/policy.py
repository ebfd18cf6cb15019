"""What a delivery asks for, decided from its payload alone: a Request, a Control, or nothing."""

from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from app.core.task import Actor, Control, Repository, Request
from app.trigger.command import Command, parse
from app.trigger.payload import Account, Issue, IssueComment, IssueLabeled

LABEL_INSTRUCTION = "Resolve this issue."
_P = TypeVar("_P", IssueComment, IssueLabeled)


class BadPayload(ValueError):
    """GitHub would not send this; the message names the fields, never their values."""


def decide(event: str, payload: dict[str, Any], delivery: str, *, label: str) -> Request | Control | None:
    """Only a new comment of a person, or our label set by one, asks for anything; None for everything else.

    Whether that person may ask is not known here: see `may_start`. Raises BadPayload.
    """
    match event, payload.get("action"):
        case "issue_comment", "created":
            return _commented(_parsed(IssueComment, payload), delivery)
        case "issues", "labeled":
            return _labeled(_parsed(IssueLabeled, payload), delivery, label)
    return None


def may_start(level: str) -> bool:
    """Whether this permission on the repository, as the collaborator API names it, starts or steers work."""
    return level in ("write", "maintain", "admin")


def _commented(said: IssueComment, delivery: str) -> Request | Control | None:
    if not _person(said.sender) or said.comment.user is None or said.sender.id != said.comment.user.id:
        return None
    command = parse(said.comment.body)
    if command is None:
        return None
    key = f"c-{said.repository.id}-{said.comment.id}"
    word = _control_word(command, said.issue)
    if word:
        spoken = command.text if word == "later" else ""
        return _control(said, key, delivery, comment_id=said.comment.id, word=word, spoken=spoken)
    comment = said.comment
    return _request(said, key, delivery, command.text, comment.id, comment.html_url, comment.created_at)


def _labeled(said: IssueLabeled, delivery: str, label: str) -> Request | Control | None:
    if (
        not _person(said.sender)
        or said.label.name.casefold() != label.casefold()
        or said.issue.pull_request is not None
    ):
        return None
    moment = "".join(c for c in said.issue.updated_at.lower() if c.isalnum())
    key = f"l-{said.repository.id}-{said.issue.number}-{moment}"
    if _over(said.issue):
        return _control(said, key, delivery, comment_id=None, word="closed")
    return _request(said, key, delivery, LABEL_INSTRUCTION, None, said.issue.html_url, said.issue.updated_at)


Word = Literal["stop", "help", "later", "closed", "pull_request"]


def _control_word(command: Command, issue: Issue) -> Word | None:
    if command.kind == "help":
        return "help"
    if issue.pull_request is not None:
        return "pull_request"
    if command.kind == "prompt":
        return "closed" if _over(issue) else None
    return command.kind


def _over(issue: Issue) -> bool:
    return issue.state != "open" or issue.locked


def _person(account: Account) -> bool:
    return account.type == "User"


def _request(
    said: IssueComment | IssueLabeled, key: str, delivery: str, instruction: str, comment: int | None, url: str, at: str
) -> Request:
    return Request(
        key=key,
        delivery=delivery,
        installation=said.installation.id,
        repository=_repository(said),
        thread=said.issue.number,
        actor=_actor(said),
        instruction=instruction,
        title=said.issue.title,
        body=said.issue.body or "",
        comment_id=comment,
        url=url,
        asked_at=at,
    )


def _control(
    said: IssueComment | IssueLabeled, key: str, delivery: str, *, comment_id: int | None, word: Word, spoken: str = ""
) -> Control:
    return Control(
        key=key,
        delivery=delivery,
        installation=said.installation.id,
        repository=_repository(said),
        thread=said.issue.number,
        actor=_actor(said),
        comment_id=comment_id,
        word=word,
        said=spoken,
    )


def _repository(said: IssueComment | IssueLabeled) -> Repository:
    return Repository(id=said.repository.id, full_name=said.repository.full_name)


def _actor(said: IssueComment | IssueLabeled) -> Actor:
    return Actor(id=said.sender.id, login=said.sender.login)


def _parsed(kind: type[_P], payload: dict[str, Any]) -> _P:
    try:
        return kind.model_validate(payload)
    except ValidationError as e:
        fields = {".".join(str(part) for part in error["loc"]) for error in e.errors(include_input=False)}
        raise BadPayload("malformed or missing: " + ", ".join(sorted(fields))) from None
