"""What the simulated GitHub knows. Plain values, in memory; the bytes of repositories are in bare git repositories on disk."""

import itertools
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

Role = Literal["read", "triage", "write", "maintain", "admin"]
ROLES = get_args(Role)

GRANTED = {"metadata": "read", "contents": "write", "issues": "write", "pull_requests": "write"}
EVENTS = ["issue_comment", "issues"]


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(eq=False)
class Account:
    id: int
    login: str
    type: Literal["User", "Bot", "Organization"] = "User"


@dataclass(eq=False)
class App:
    id: int
    slug: str
    owner: Account
    bot: Account
    hook_id: int
    webhook_url: str
    webhook_secret: str
    public_key: str
    permissions: dict[str, str]
    events: list[str]
    token_seconds: float
    created_at: float


@dataclass(eq=False)
class Reaction:
    id: int
    user: Account
    content: str
    created_at: float


@dataclass(eq=False)
class Comment:
    id: int
    number: int
    author: Account
    created_at: float
    bodies: list[tuple[float, str]]
    """Every body that it had, with the time it was given; the last one holds."""
    app: App | None = None
    reactions: list[Reaction] = field(default_factory=list)

    @property
    def body(self) -> str:
        return self.bodies[-1][1]

    @property
    def updated_at(self) -> float:
        return self.bodies[-1][0]


@dataclass(eq=False)
class Label:
    id: int
    name: str


@dataclass(eq=False)
class Pull:
    """What makes an issue a pull request."""

    id: int
    head: str
    base: str
    draft: bool
    head_sha: str
    fork: "Repository | None" = None
    """Where the head branch is, if not in the repository itself."""
    maintainer_can_modify: bool = False


@dataclass(eq=False)
class Issue:
    id: int
    number: int
    author: Account
    title: str
    body: str
    created_at: float
    updated_at: float
    state: Literal["open", "closed"] = "open"
    closed_at: float | None = None
    locked: bool = False
    labels: list[Label] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    pull: Pull | None = None


@dataclass(eq=False)
class Repository:
    id: int
    owner: Account
    name: str
    private: bool
    path: Path
    """The bare repository."""
    created_at: float
    default_branch: str = "main"
    archived: bool = False
    roles: dict[int, Role] = field(default_factory=dict)
    """By account id; the owner is admin without being here."""
    issues: dict[int, Issue] = field(default_factory=dict)
    former_names: set[str] = field(default_factory=set)
    signed: set[str] = field(default_factory=set)
    """Commits that GitHub signed, because the App named no author."""
    protected: set[str] = field(default_factory=set)
    """Branches that nobody may move."""
    parent: "Repository | None" = None
    """What it is a fork of."""
    ready_at: float = 0.0
    """When GitHub has made it; a fork takes a while."""

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    def comment(self, comment_id: int) -> Comment | None:
        return next((c for i in self.issues.values() for c in i.comments if c.id == comment_id), None)

    def role(self, account: Account) -> Role | Literal["none"]:
        if account.id == self.owner.id:
            return "admin"
        return self.roles.get(account.id) or ("none" if self.private else "read")

    def can(self, account: Account) -> dict[str, bool]:
        """What the role allows, by GitHub's older names."""
        role = self.role(account)
        reached = ROLES.index(role) if role in ROLES else -1
        return {name: reached >= n for n, name in enumerate(("pull", "triage", "push", "maintain", "admin"))}


@dataclass(eq=False)
class Installation:
    id: int
    app: App
    account: Account
    created_at: float
    repositories: list[Repository] = field(default_factory=list)
    suspended_at: float | None = None


@dataclass(eq=False)
class Token:
    """Of an installation."""

    value: str
    installation: Installation
    repositories: list[Repository]
    permissions: dict[str, str]
    expires_at: float
    revoked: bool = False

    @property
    def author(self) -> Account:
        return self.installation.app.bot

    def rights(self, repository: Repository) -> dict[str, str]:
        """Permissions in this repository; none at all where it can't be seen."""
        known = repository in self.repositories and repository in self.installation.repositories
        return self.permissions if known else {}


@dataclass(eq=False)
class UserToken:
    """Of a person: a personal access token for contents and pull requests, wherever that person may use them."""

    value: str
    author: Account

    def rights(self, repository: Repository) -> dict[str, str]:
        can = repository.can(self.author)
        if not can["pull"]:
            return {}
        return GRANTED if can["push"] else {**GRANTED, "contents": "read"}


@dataclass
class Attempt:
    """One try to deliver. `status` 0: nobody answered, and `error` says why."""

    id: int
    at: float
    redelivery: bool
    status: int
    ms: int
    error: str = ""
    reply: str = ""
    reply_headers: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Delivery:
    guid: str
    app: App
    event: str
    action: str
    installation_id: int
    repository_id: int
    payload: bytes
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def payload_json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.payload)
        return loaded


@dataclass
class Logged:
    """A request and what it was answered, as the tests read it."""

    n: int
    at: float
    method: str
    host: str
    """Where it was sent to: `localhost` and `127.0.0.1` are the same place, and tell two clients apart."""
    path: str
    status: int
    app_id: int | None
    token: dict[str, Any] | None
    body: Any
    reply: Any


@dataclass
class World:
    """Everything there is on this GitHub."""

    data: Path
    url: str = ""
    """Where it listens; set when it does."""
    accounts: dict[str, Account] = field(default_factory=dict)
    apps: dict[int, App] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    user_tokens: dict[str, UserToken] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    log: list[Logged] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1001))

    @property
    def api(self) -> str:
        return f"{self.url}/api/v3"

    def new_id(self) -> int:
        """One sequence for everything, so an id taken for another thing's is found nowhere."""
        return next(self._ids)

    def now(self) -> float:
        return time.time()

    def account(self, login: str, kind: Literal["User", "Bot", "Organization"] = "User") -> Account:
        """The account with this login, made where there is none. Logins are compared without case."""
        if login.lower() not in self.accounts:
            self.accounts[login.lower()] = Account(self.new_id(), login, kind)
        return self.accounts[login.lower()]

    def repository(self, full_name: str) -> Repository | None:
        wanted = full_name.lower()
        return next((r for r in self.repositories.values() if r.full_name.lower() == wanted), None)

    def renamed(self, full_name: str) -> Repository | None:
        return next((r for r in self.repositories.values() if full_name.lower() in r.former_names), None)

    def installations_on(self, repository: Repository) -> list[Installation]:
        return [i for i in self.installations.values() if repository in i.repositories]

    def mint(self, installation: Installation, repositories: list[Repository], permissions: dict[str, str]) -> Token:
        value = f"ghs_{installation.app.id}_{secrets.token_urlsafe(40)}.{secrets.token_urlsafe(200)}"
        token = Token(value, installation, repositories, permissions, self.now() + installation.app.token_seconds)
        self.tokens[value] = token
        return token
