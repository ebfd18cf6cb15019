"""Signatures of thinking blocks: each is bound to its own text, to the model and to everything that stood before it."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from app.simulator.model_usage import as_blocks, canonical

KEY = b"the simulated model signs its thinking"


class Seal:
    """Reads a conversation block by block and signs what comes next."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._before = hashlib.sha256()
        for part in (body.get("model"), body.get("tools") or [], as_blocks(body.get("system") or "")):
            self._feed(canonical([_plain(p) for p in part] if isinstance(part, list) else part))

    @classmethod
    def after(cls, body: Mapping[str, Any]) -> "Seal":
        """Where the reply to this request begins."""
        seal = cls(body)
        for message in body["messages"]:
            for block in as_blocks(message["content"]):
                seal.read(message["role"], block)
        return seal

    def read(self, role: str, block: Mapping[str, Any]) -> None:
        self._feed(role + canonical(block))

    def sign(self, thinking: str) -> str:
        text, place = self._parts(thinking)
        return text + place

    def problem(self, block: Mapping[str, Any]) -> str | None:
        """Why this thinking block can't stand here, in the API's words; None where it can."""
        text, place = self._parts(str(block.get("thinking", "")))
        signature = str(block.get("signature", ""))
        if not signature.startswith(text):
            return "Invalid `signature` in `thinking` block"
        if signature != text + place:
            return "Invalid `signature` in `thinking` block. The block is bound to a different conversation."
        return None

    def _parts(self, thinking: str) -> tuple[str, str]:
        return _mac(thinking.encode("utf-8", "surrogatepass")), _mac(self._before.digest())

    def _feed(self, text: str) -> None:
        self._before.update(text.encode("utf-8", "surrogatepass") + b"\0")


def _plain(block: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in block.items() if k != "cache_control"}


def _mac(data: bytes) -> str:
    return base64.b64encode(hmac.digest(KEY, data, "sha256")).decode()
