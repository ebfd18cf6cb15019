"""Secrets out of text, once, before the model, the log or anybody sees it.

A seat belt: the boundary is that no secret is in the sandbox.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
_SHORTEST = 8
"""Characters; a shorter secret would be found in ordinary words."""

_PATTERNS = re.compile(
    r"(?<![A-Za-z0-9])gh[a-z]_[A-Za-z0-9_.\-]{30,}"
    r"|github_pat_[A-Za-z0-9_]{20,}"
    r"|sk-ant-[A-Za-z0-9_\-]{20,}"
    r"|(?<![A-Za-z0-9])e2b_[A-Za-z0-9]{30,}"
    r"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}"
    r"|(?<=://x-access-token:)[A-Za-z0-9._~%\-]+(?=@)"
    # A private key's block counts from its first line of key material on, so that code which only names the header stays.
    r"|-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:(?:\s|\\[nr])*+[A-Za-z0-9+/=]{20,}+)+(?:(?:\s|\\[nr])*+[A-Za-z0-9+/=]+)?"
    r"(?:(?:\s|\\[nr])*+-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?"
)


class Redactor:
    """Takes these secrets, in any form that a program easily gives them, and what looks like a token, out of text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        whole = {secret.strip() for secret in secrets if len(secret.strip()) >= _SHORTEST}
        # A tail or a `grep` shows single lines of a PEM file.
        lines = {line for secret in whole for line in secret.splitlines() if len(line) >= 32 and "-----" not in line}
        forms = {form for secret in whole | lines for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def text(self, s: str) -> str:
        """The text with every secret in it replaced by "[redacted]"."""
        for form in self._forms:
            if form in s:
                s = s.replace(form, REDACTED)
        return _PATTERNS.sub(REDACTED, s)

    def value(self, value: Any) -> Any:
        """The same JSON value with every string in it redacted, keys too."""
        match value:
            case str():
                return self.text(value)
            case list() | tuple():
                return [self.value(inner) for inner in value]
            case dict():
                return {self.value(key): self.value(inner) for key, inner in value.items()}
        return value


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    escaped = json.dumps(secret)[1:-1]
    yield from (secret, secret[::-1], escaped, json.dumps(escaped)[1:-1])
    yield from (raw.hex(), raw.hex().upper(), quote_plus(secret, safe=""))
    percent = quote(secret, safe="")
    yield from (percent, re.sub("%[0-9A-F]{2}", lambda m: m[0].lower(), percent))
    for before in range(3):
        core = _base64_core(raw, before)
        yield from (core, core.replace("+", "-").replace("/", "_"))


def _base64_core(raw: bytes, before: int) -> str:
    """The characters of a base64 text that `raw` alone decides where it begins `before` bytes (0 to 2) after a group of three."""
    encoded = base64.b64encode(bytes(before) + raw).decode()
    first = (before * 8 + 5) // 6
    whole = (before + len(raw)) * 8 // 6
    return encoded[first:whole]
