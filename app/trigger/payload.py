"""The fields that we use of two webhook payloads: any others are ignored, these are taken as they are or not at all."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _storable(s: str) -> str:
    """Without NUL, which no database takes in a text. Raises ValueError where half a surrogate pair stands in it."""
    s.encode()
    return s.replace("\0", "")


Id = Annotated[int, Field(gt=0, lt=2**63)]
Login = Annotated[str, Field(pattern=r"\A[A-Za-z0-9._\[\]-]{1,100}\z")]
Url = Annotated[str, Field(pattern=r"\Ahttps?://[^\s<>]+\z")]
Moment = Annotated[str, Field(pattern=r"\A[0-9TZ:.+-]{10,40}\z")]
Text = Annotated[str, AfterValidator(_storable)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Account(_Part):
    id: Id
    login: Login
    type: str


class Repository(_Part):
    id: Id
    full_name: Annotated[str, Field(pattern=r"\A[A-Za-z0-9._-]+/[A-Za-z0-9._-]+\z")]


class Installation(_Part):
    id: Id


class Issue(_Part):
    number: Id
    title: Text
    body: Text | None = None
    state: str
    locked: bool = False
    html_url: Url
    updated_at: Moment
    pull_request: object | None = None
    """Set where the issue is a pull request."""


class Comment(_Part):
    id: Id
    user: Account | None
    body: Text
    html_url: Url
    created_at: Moment


class Label(_Part):
    name: str


class _Payload(_Part):
    installation: Installation
    repository: Repository
    issue: Issue
    sender: Account


class IssueComment(_Payload):
    comment: Comment


class IssueLabeled(_Payload):
    label: Label


class Identified(_Part):
    id: Id


class Removal(_Part):
    """Of `installation` deleted, suspended or unsuspended, and of `installation_repositories` removed."""

    installation: Installation
    repositories: list[Identified] = []
    repositories_removed: list[Identified] = []
