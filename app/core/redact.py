"""Secrets out of text, once, before the model, the log or anybody sees it.

A seat belt: the boundary is that no secret is in the sandbox. A secret is found as it is, in the encodings that a program easily gives it,
broken by white space or by characters that a page drops, and cut off at an end of the text or at an ellipsis. Not found: encodings of
encodings, dumps in columns, and fewer than 12 characters of it.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from app.core.clean import CHARACTER

REDACTED = "[redacted]"
_SHORTEST = 8
"""Characters; a shorter secret would be found in ordinary words."""
_PART = 12
"""Characters of a secret that is cut or broken."""
_BREAK = rf"(?:\s|\\[nrt]|{CHARACTER.pattern})"
_BREAKS = re.compile(f"{_BREAK}+")

_PATTERNS = re.compile(
    r"(?<![A-Za-z0-9])gh[a-z]_[A-Za-z0-9_.\-]{30,}"
    r"|github_pat_[A-Za-z0-9_]{20,}"
    r"|sk-ant-[A-Za-z0-9_\-]{20,}"
    r"|(?<![A-Za-z0-9])e2b_[A-Za-z0-9]{30,}"
    r"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}"
    r"|(?<![A-Za-z0-9])A[KS]IA(?![A-Z0-9]{9}EXAMPLE)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|eC1hY2Nlc3MtdG9rZW46[A-Za-z0-9+/=_\-]+"  # git's header: "x-access-token:" and the token
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
        self._unbroken = [joined for form in self._forms if len(joined := _BREAKS.sub("", form)) >= _PART]
        self._parts: dict[str, list[tuple[str, int]]] = {}
        for form in self._forms:
            for at in range(len(form) - _PART + 1):
                self._parts.setdefault(form[at : at + _PART], []).append((form, at))

    def text(self, s: str) -> str:
        """The text with every secret in it replaced by "[redacted]". Give it the whole, before anything is cut from it."""
        return _PATTERNS.sub(REDACTED, self._without_known(s))

    def knows(self, s: str) -> bool:
        """Whether one of these secrets is in the text, in any of the forms."""
        return self._without_known(s) != s

    def _without_known(self, s: str) -> str:
        for form in self._forms:
            if form in s:
                s = s.replace(form, REDACTED)
        return "…".join(map(self._without_cut, self._without_broken(s).split("…")))

    def _without_broken(self, s: str) -> str:
        unbroken = _BREAKS.sub("", s)
        for form in self._unbroken if len(unbroken) < len(s) else ():
            if form in unbroken:
                s = re.sub(f"{_BREAK}*+".join(map(re.escape, form)), REDACTED, s)
        return s

    def _without_cut(self, s: str) -> str:
        """A secret may begin where the text was cut off, and end where it was cut into."""
        left = inner = s.strip()
        for form, at in self._parts.get(left[-_PART:], ()):
            begun = form[: at + _PART]
            if begun.endswith(left):
                return s.replace(inner, REDACTED)
            if left.endswith(begun):
                left = left.removesuffix(begun) + REDACTED
        for form, at in self._parts.get(left[:_PART], ()):
            if left.startswith(form[at:]):
                left = REDACTED + left.removeprefix(form[at:])
        return s if left == inner else s.replace(inner, left)

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


def lookalikes(s: str) -> frozenset[str]:
    """What in the text looks like a token or a private key, whosever it is."""
    return frozenset(found[0] for found in _PATTERNS.finditer(s))


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    escaped = json.dumps(secret)[1:-1]
    yield from (secret, secret[::-1], escaped, json.dumps(escaped)[1:-1])
    yield from (raw.hex(), raw.hex().upper(), quote_plus(secret, safe=""), quote(secret))
    yield from (html.escape(secret), html.escape(secret, quote=False), html.escape(secret).replace("&#x27;", "&#39;"))
    percent = quote(secret, safe="")
    every = "".join(f"%{byte:02X}" for byte in raw)
    yield from (percent, re.sub("%[0-9A-F]{2}", lambda m: m[0].lower(), percent), every, every.lower())
    for before in range(3):
        core = _base64_core(raw, before)
        yield from (core, core.replace("+", "-").replace("/", "_"))


def _base64_core(raw: bytes, before: int) -> str:
    """The characters of a base64 text that `raw` alone decides where it begins `before` bytes (0 to 2) after a group of three."""
    encoded = base64.b64encode(bytes(before) + raw).decode()
    first = (before * 8 + 5) // 6
    whole = (before + len(raw)) * 8 // 6
    return encoded[first:whole]
