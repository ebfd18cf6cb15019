"""What was asked, by whom, and how it ended: the words that every part shares."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

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


class Approval(Words):
    """Somebody with write access lets in what the gate of an earlier run left out."""

    content: str
    """What stands for exactly this content: see `publish.changes.Verdicts.approval`."""
    actor: Actor
    comment_id: int
    """The comment that says so."""
    branch: str = ""
    """The head branch that it comes on top of; "" where the earlier run published nothing."""


class Request(Words):
    """Somebody asked for work: what every run stands on, however it was asked for. See `ThreadRequest` and `CodeRequest`.

    `instruction` is what the asker said, and instructs the model. `title` and `body` are the issue's: data, whoever wrote them.
    """

    key: str
    """The task's key, `[a-z0-9-]`, made from what was asked (not from the delivery)."""
    repository: Repository
    instruction: str
    asked_at: str
    """ISO 8601."""
    title: str = ""
    body: str = ""
    url: str = ""
    """Page of what asked: the comment or the issue; "" where there is none."""
    branch: str = ""
    """The head branch that was asked for; "" leaves it to the server."""
    thread: int | None = None
    """Number of the issue; None where no thread asked."""
    actor: Actor | None = None
    """Who asked, where GitHub knows: co-author of the work."""
    installation: int | None = None
    """Of the App on the repository; None where there is none."""
    approved: Approval | None = None
    """What this run of the task lets in, and nothing else; None for the task's first run, in which a model works."""

    @property
    def head_branch(self) -> str:
        """What the head branch is to be named, as far as the name is free."""
        if self.branch:
            return self.branch
        return (
            f"backspace/{self.thread}-{_slug(self.title)}"
            if self.thread
            else f"backspace/{_slug(self.instruction)}-{self.key[-4:]}"
        )


class ThreadRequest(Request):
    """By a comment or a label on an issue: the webhook's own snapshot, never read again from GitHub.

    Its key is `c-<repo id>-<comment id>` or `l-<repo id>-<issue>-<updated_at>`.
    """

    kind: Literal["thread"] = "thread"
    delivery: str
    """`X-GitHub-Delivery` of the first delivery that carried it."""
    thread: int
    actor: Actor
    installation: int
    comment_id: int | None
    """The comment that holds the command; None where a label did."""


class CodeRequest(Request):
    """By `POST /code` or on the command line, directly: whoever has the key, or the machine, is trusted with the repository."""

    kind: Literal["code"] = "code"
    caller: str
    """Name of the API key; "local" where none was needed."""
    path: str = ""
    """Absolute path of a repository on this machine; "" for one on GitHub."""


class Asked(Words):
    """A request to `/code`, understood: nothing in it is as the client wrote it but the prompt."""

    repo: str
    """`owner/name`."""
    prompt: str
    branch: str = ""
    """The head branch asked for; "" leaves it to the server."""
    caller: str
    """Name of the API key; "local" where none is set."""
    only: frozenset[str] = frozenset()
    """The `owner/name`s that the key is for, in lower case; none: every one."""
    idempotency_key: str = ""


AnyRequest = Annotated[ThreadRequest | CodeRequest, Field(discriminator="kind")]
REQUEST: TypeAdapter[ThreadRequest | CodeRequest] = TypeAdapter(AnyRequest)


def _slug(title: str) -> str:
    """Words as part of a branch name: `[a-z0-9-]`, at most 40 characters."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in title.lower()).split()
    slug = words[0][:40] if words else "work"
    for word in words[1:]:
        if len(slug) + 1 + len(word) > 40:
            break
        slug += f"-{word}"
    return slug


Word = Literal["stop", "help", "approve", "later", "closed", "pull_request"]
"""`later`: a control word that this version knows and does not do yet; it is never taken for a prompt. `closed`: work was
asked for on an issue that is closed or locked. `pull_request`: a command on a pull request, where nothing works yet."""


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
    word: Word
    said: str = ""
    """For `later`: the word itself ("retry"). For `approve`: what is approved, 32 hex digits; "" where none was given."""
