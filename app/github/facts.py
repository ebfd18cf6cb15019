"""What we take from GitHub's replies: small frozen values that go to JSON and back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.core.task import Repository, Words

Level = Literal["admin", "maintain", "write", "triage", "read", "none"]


class Identity(Words):
    """The App as GitHub knows it."""

    app_id: int
    slug: str
    bot_id: int
    """Account that its comments are by, `<slug>[bot]`."""


class Installation(Words):
    """Of the App, on an account."""

    id: int
    permissions: dict[str, str]
    """What an owner has accepted."""


class AppFacts(Words):
    """What the App was given, whatever an installation has accepted of it."""

    slug: str
    permissions: dict[str, str]
    events: tuple[str, ...]


class Permission(Words):
    """What an account may do in the repository, teams and organisation counted in."""

    user_id: int | None
    """None: no such account. Compare it with the actor's: a login can change hands."""
    level: Level
    """A custom role counts as the standard one it is built on."""


class RepositoryFacts(Words):
    id: int
    full_name: str
    default_branch: str
    archived: bool
    private: bool
    may_push: bool
    """Of a person by whose token it was asked; of an App, GitHub does not say."""
    may_fork: bool
    parent_id: int | None
    """What it is a fork of."""

    @property
    def repository(self) -> Repository:
        return Repository(id=self.id, full_name=self.full_name)


class IssueFacts(Words):
    state: Literal["open", "closed"]
    locked: bool
    is_pull_request: bool
    labels: tuple[str, ...]
    comments: int
    """How many there are."""


class Comment(Words):
    id: int
    author_id: int | None
    """None: the account is gone."""
    body: str


class ThreadComment(Comment):
    """With what decides whether the model may read it."""

    login: str
    """"" where the account is gone."""
    is_bot: bool
    created_at: datetime
    updated_at: datetime
    """Of the last edit, by whomever."""


class CommitFacts(Words):
    sha: str
    tree: str
    parents: tuple[str, ...]
    message: str


class Pull(Words):
    number: int
    url: str
    draft: bool
    state: Literal["open", "closed"]
    base: str
    body: str


@dataclass(frozen=True)
class TreeEntry:
    """A path of a new tree: with text, or with a blob, or (neither) taken away."""

    path: str
    mode: str
    text: str | None = None
    blob: str | None = None
