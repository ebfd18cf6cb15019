"""What a request costs in tokens, with a prompt cache that holds prefixes which really were sent before.

A prefix is everything from the tools over the system prompt to some block of the messages. It is written where a breakpoint stands
and read where a later request has the same bytes up to one of the last twenty blocks before one of its own breakpoints.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CACHE_SECONDS = 300
LOOK_BACK = 20
SHORTEST_PREFIX = 1024
MAX_BREAKPOINTS = 4


def canonical(value: object) -> str:
    """JSON without spaces and without cache marks, which belong to no prefix."""
    return json.dumps(_unmarked(value), ensure_ascii=False, separators=(",", ":"))


def tokens(value: object) -> int:
    """A token is four characters."""
    return math.ceil(len(canonical(value)) / 4)


def _unmarked(value: object) -> object:
    if isinstance(value, Mapping) and "cache_control" in value:
        return {k: v for k, v in value.items() if k != "cache_control"}
    return value


def as_blocks(content: object) -> list[dict[str, Any]]:
    """Content as a list of blocks; a string is short for one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content) if isinstance(content, list) else []


def blocks_in_order(body: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every block that the model reads, each with the place it has: tools, system, messages."""
    for tool in body.get("tools") or []:
        yield "tool", tool
    for block in as_blocks(body.get("system") or ""):
        yield "system", block
    for message in body.get("messages") or []:
        for block in as_blocks(message["content"]):
            yield message["role"], block


def breakpoints(body: Mapping[str, Any]) -> list[int]:
    """Positions of the marked blocks, the automatic one of the top level included, in order."""
    blocks = [block for _, block in blocks_in_order(body)]
    marked = {i for i, block in enumerate(blocks) if block.get("cache_control")}
    cacheable = [i for i, b in enumerate(blocks) if b.get("type") not in ("thinking", "redacted_thinking")]
    if body.get("cache_control") and cacheable:
        marked.add(cacheable[-1])
    return sorted(marked)


@dataclass(frozen=True)
class Prefix:
    digest: bytes
    tokens: int


def prefixes(body: Mapping[str, Any]) -> list[Prefix]:
    """The prefix that ends at each block."""
    digest, total, found = hashlib.sha256(str(body.get("model")).encode()).digest(), 0, []
    for place, block in blocks_in_order(body):
        text = canonical(block)
        digest = hashlib.sha256(digest + f"{place}\0{text}".encode("utf-8", "surrogatepass")).digest()
        total += math.ceil(len(text) / 4)
        found.append(Prefix(digest, total))
    return found


class Cache:
    """The prompt cache. `now` is in seconds, on any clock."""

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}

    def usage(self, body: Mapping[str, Any], now: float) -> dict[str, Any]:
        """The input side of `usage`; what the request writes can be read by those after it."""
        found, marks = prefixes(body), breakpoints(body)
        read = max((self._hit(found[: mark + 1], now) for mark in marks), key=lambda p: p.tokens, default=NOTHING)
        written = [found[mark] for mark in marks if found[mark].tokens >= SHORTEST_PREFIX]
        for prefix in (read, *written):
            self._until[prefix.digest] = now + CACHE_SECONDS
        end = max([read.tokens, *(p.tokens for p in written)])
        return {
            "input_tokens": (found[-1].tokens if found else 0) - end,
            "cache_read_input_tokens": read.tokens,
            "cache_creation_input_tokens": end - read.tokens,
            "cache_creation": {"ephemeral_5m_input_tokens": end - read.tokens, "ephemeral_1h_input_tokens": 0},
        }

    def _hit(self, before: list[Prefix], now: float) -> Prefix:
        candidates = reversed(before[-LOOK_BACK:])
        return next((p for p in candidates if self._until.get(p.digest, -math.inf) > now), NOTHING)


NOTHING = Prefix(b"", 0)
