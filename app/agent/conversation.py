"""What has been said between the server and the model, as the API wants it back."""

from dataclasses import dataclass, field
from typing import Any

from app.agent.budget import Spent

Json = dict[str, Any]


@dataclass
class Conversation:
    """All that the model has been told and has said, rebuilt from recorded steps alone."""

    messages: list[Json]
    spent: Spent = field(default_factory=Spent)
    turns: int = 0
    cut: int = 0
    misuses: int = 0
    summary: str = ""

    def heard(self, turn: Json) -> None:
        self.turns += 1
        self.spent = Spent.model_validate(turn["spent"])
        if turn["stop_reason"] == "max_tokens":  # discarded: a call in it may be incomplete
            self.cut += 1
            self.say("Your last reply was longer than one reply may be and was discarded. Go on in smaller pieces.")
            return
        self.cut = 0
        if turn["content"]:  # the API takes no empty message back
            self.messages.append({"role": "assistant", "content": turn["content"]})
        self.summary = "\n\n".join(b["text"] for b in turn["content"] if b["type"] == "text") or self.summary

    def did(self, acted: Json) -> None:
        self.spent = self.spent.model_copy(update={"minutes": self.spent.minutes + acted["minutes"]})
        self.misuses = self.misuses + 1 if acted.get("misused") else 0
        self.messages.append({"role": "user", "content": acted["results"]})

    def say(self, text: str) -> None:
        """Add words of the server: to the last user message where there is one, so that roles alternate."""
        block = {"type": "text", "text": text}
        if self.messages and self.messages[-1]["role"] == "user":
            self.messages[-1]["content"].append(block)
        else:
            self.messages.append({"role": "user", "content": [block]})
