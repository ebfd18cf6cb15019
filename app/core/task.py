"""What was asked, by whom, and how it ended: the words that every part shares."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Stage = Literal["queued", "prepare", "work", "gate", "verify", "publish", "report"]

Outcome = Literal["ready", "draft", "nothing", "stopped", "failed"]
"""`ready`: a pull request of which no check failed; those that could not run are named in it. `draft`: a draft pull request, because a
check failed or the work was cut short. `nothing`: no change was needed. `stopped`: somebody said stop. `failed`."""


class Words(BaseModel):
    """A frozen value that goes to JSON and back unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Actor(Words):
    """A GitHub account. Compare by `id`: a login can change hands."""

    id: int
    login: str


class Repository(Words):
    """A repository as the webhook named it. `id` stays when it is renamed."""

    id: int
    full_name: str
    """`owner/name`."""

    @property
    def owner(self) -> str:
        return self.full_name.split("/")[0]

    @property
    def name(self) -> str:
        return self.full_name.split("/")[1]


class Request(Words):
    """Somebody asked for work: the webhook's own snapshot, never read again from GitHub.

    `instruction` is what the actor said, and instructs the model. `title` and `body` are the issue's: data, whoever wrote them.
    """

    key: str
    """The task's key, `[a-z0-9-]`, made from what was asked (not from the delivery): `c-<repo id>-<comment id>` or
    `l-<repo id>-<issue>-<updated_at>`."""
    delivery: str
    """`X-GitHub-Delivery` of the first delivery that carried it."""
    installation: int
    repository: Repository
    thread: int
    """Number of the issue."""
    actor: Actor
    instruction: str
    title: str
    body: str
    comment_id: int | None
    """The comment that holds the command; None where a label did."""
    url: str
    """Page of that comment, or of the issue."""
    asked_at: str
    """ISO 8601, from the payload."""

    @property
    def branch_slug(self) -> str:
        """The issue's title as part of a branch name: `[a-z0-9-]`, at most 40 characters."""
        words = "".join(c if c.isascii() and c.isalnum() else " " for c in self.title.lower()).split()
        slug = words[0][:40] if words else "work"
        for word in words[1:]:
            if len(slug) + 1 + len(word) > 40:
                break
            slug += f"-{word}"
        return slug


class Control(Words):
    """A command that starts no work: it steers what is there (`/backspace stop`), or gets one line in answer."""

    key: str
    delivery: str
    installation: int
    repository: Repository
    thread: int
    actor: Actor
    comment_id: int | None
    """The comment that holds the command; None where a label did."""
    word: Literal["stop", "help", "later", "closed", "pull_request"]
    """`later`: a control word that this version knows and does not do yet; it is never taken for a prompt. `closed`: work was
    asked for on an issue that is closed or locked. `pull_request`: a command on a pull request, where nothing works yet."""
    said: str = ""
    """For `later`: the word itself ("retry")."""
