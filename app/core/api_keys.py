"""The keys that open `POST /code`: `name:key` or `name:key:owner/repo,owner/repo`, between them white space or `;`."""

import re

from pydantic import SecretStr

from app.core.task import Words

_ENTRY = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,39}):(?P<key>[A-Za-z0-9._~+/=-]{16,})(?::(?P<repositories>[A-Za-z0-9_./,-]+))?"
)
_REPOSITORY = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9_.-]+")


NOBODY = "local"
"""Who asks where no key is needed."""


class ApiKey(Words):
    """`repositories`: the `owner/name`s that it may name, in lower case; none: every one."""

    name: str
    key: SecretStr
    repositories: frozenset[str] = frozenset()

    def may_name(self, repository: str) -> bool:
        return not self.repositories or repository.lower() in self.repositories


def parse(text: str) -> tuple[ApiKey, ...]:
    """The keys in the order given. Raises ValueError, which tells an entry by its place and never by what is in it."""
    keys = tuple(_entry(place, entry) for place, entry in enumerate(re.findall(r"[^\s;]+", text), 1))
    if not keys:
        raise ValueError("must hold at least one key, or not be set")
    if len({key.name for key in keys}) < len(keys) or len({key.key.get_secret_value() for key in keys}) < len(keys):
        raise ValueError("must give each key a name of its own, and each name a key of its own")
    return keys


def _entry(place: int, entry: str) -> ApiKey:
    found = _ENTRY.fullmatch(entry)
    repositories = found["repositories"].split(",") if found and found["repositories"] else []
    if not found or not all(_REPOSITORY.fullmatch(repository) for repository in repositories):
        raise ValueError(
            f"entry {place} must be name:key or name:key:owner/repo,owner/repo, the key of 16 or more letters, digits and . _ ~ + / = -"
        )
    if found["name"] == NOBODY:
        raise ValueError(f"entry {place} must have another name: {NOBODY} is who asks without a key")
    return ApiKey(
        name=found["name"], key=SecretStr(found["key"]), repositories=frozenset(name.lower() for name in repositories)
    )
