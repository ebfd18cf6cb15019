"""When to stop: what a task has used, what it may use, and how large the next turn can be. Pure.

Prices are the list prices of https://platform.claude.com/docs/en/about-claude/pricing, as of October 2026.
"""

import re
from dataclasses import dataclass

from app.core.task import Words

MILLION = 1_000_000
SMALLEST_TURN = 1_024
"""Output tokens; a turn that may write less than this gets nothing done."""
LARGEST_TURN = 32_000
"""Output tokens; enough to think and to write a long file."""


class TurnUsage(Words):
    """Tokens of one or more requests, each counted once."""

    input: int = 0
    """Neither read from the cache nor written to it."""
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    """Thinking included."""

    def __add__(self, other: "TurnUsage") -> "TurnUsage":
        return TurnUsage(
            input=self.input + other.input,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            output=self.output + other.output,
        )

    @property
    def prompt(self) -> int:
        return self.input + self.cache_read + self.cache_write

    @property
    def tokens(self) -> int:
        return self.prompt + self.output


@dataclass(frozen=True)
class Price:
    """USD per million tokens; cache writes are those that live for five minutes."""

    input: float
    cache_write: float
    cache_read: float
    output: float
    long_prompt: tuple[int, float] | None = None
    """A request with more prompt tokens than the first costs the second times as much, output included."""

    def of(self, usage: TurnUsage) -> float:
        """USD of one request."""
        usd = (
            usage.input * self.input
            + usage.cache_write * self.cache_write
            + usage.cache_read * self.cache_read
            + usage.output * self.output
        ) / MILLION
        return usd * self.times(usage.prompt)

    def times(self, prompt_tokens: int) -> float:
        if self.long_prompt and prompt_tokens > self.long_prompt[0]:
            return self.long_prompt[1]
        return 1.0


_OPUS = Price(5, 6.25, 0.50, 25)
_SONNET_4 = Price(3, 3.75, 0.30, 15)
_LARGE = Price(10, 12.50, 0.25, 50)
PRICES = {
    "claude-fable-5": Price(10, 12.50, 1.00, 50),
    "claude-fable-5-1": _LARGE,
    "claude-mythos-5": Price(10, 12.50, 1.00, 50),
    "claude-mythos-5-1": _LARGE,
    "claude-opus-5-5": Price(4, 5, 0.20, 20),
    "claude-opus-5": _OPUS,
    "claude-opus-4-8": _OPUS,
    "claude-opus-4-7": _OPUS,
    "claude-opus-4-6": _OPUS,
    "claude-opus-4-5": _OPUS,
    "claude-sonnet-5-5": Price(2, 2.50, 0.10, 10),
    "claude-sonnet-5": Price(2, 2.50, 0.20, 10),
    "claude-sonnet-4-6": _SONNET_4,
    "claude-sonnet-4-5": _SONNET_4,
    "claude-haiku-5-5": Price(0.10, 0.125, 0.01, 0.50, long_prompt=(100_000, 5.0)),
    "claude-haiku-4-5": Price(1, 1.25, 0.10, 5),
}
DEAREST = Price(
    input=max(p.input for p in PRICES.values()),
    cache_write=max(p.cache_write for p in PRICES.values()),
    cache_read=max(p.cache_read for p in PRICES.values()),
    output=max(p.output for p in PRICES.values()),
)


def price(model: str) -> Price:
    """The model's price, dated names included; the dearest known one where the model is not in the table."""
    return PRICES.get(re.sub(r"-\d{8}$", "", model), DEAREST)


def price_note(model: str) -> str | None:
    """What people should know about the dollars shown for this model, if anything."""
    if price(model) is not DEAREST:
        return None
    return f"The price of `{model}` is not known here, so the dearest known one is counted."


def cost(model: str, usage: TurnUsage) -> float:
    """USD of one request; of several with their tokens added up it is never less than their sum."""
    return price(model).of(usage)


class Spent(Words):
    """What a task has used so far, over all of its runs."""

    turns: int = 0
    """Replies of the model that were accepted."""
    requests: int = 0
    """Requests that were sent to get them, discarded ones too."""
    tokens: int = 0
    usd: float = 0.0
    minutes: float = 0.0

    def plus(self, model: str, usage: TurnUsage, *, requests: int = 0, turns: int = 0) -> "Spent":
        """After an accepted reply (`turns=1`), or after requests that came to none."""
        used = {
            "turns": self.turns + turns,
            "requests": self.requests + requests,
            "tokens": self.tokens + usage.tokens,
            "usd": self.usd + cost(model, usage),
        }
        return self.model_copy(update=used)


class Limits(Words):
    """What a task may use."""

    usd: float
    minutes: float
    turns: int
    tokens: int


def why_stop(spent: Spent, limits: Limits) -> str | None:
    """The limit that is reached, as one sentence for people; None where work may go on."""
    used = f"${spent.usd:.2f}, {spent.turns} turn{'s' * (spent.turns != 1)}, {spent.minutes:.0f} min"
    if spent.usd >= limits.usd:
        return f"The limit of ${limits.usd:.2f} for this task is reached ({used})."
    if spent.minutes >= limits.minutes:
        return f"The limit of {limits.minutes:g} minutes for this task is reached ({used})."
    if spent.turns >= limits.turns:
        return f"The limit of {limits.turns} turns for this task is reached ({used})."
    if spent.tokens >= limits.tokens:
        return f"The limit of {limits.tokens:,} tokens for this task is reached ({used})."
    return None


def too_little_left(spent: Spent, limits: Limits) -> str:
    """The sentence for people where `max_tokens` is 0 although no limit is reached."""
    return (
        f"What is left of the ${limits.usd:.2f} and {limits.tokens:,} tokens for this task is too little for another turn"
        f" (${spent.usd:.2f} and {spent.tokens:,} tokens used)."
    )


def max_tokens(spent: Spent, limits: Limits, model: str, prompt_tokens: int) -> int:
    """Output tokens that the next request may write, so that it can't cost more than what is left; 0: stop.

    `prompt_tokens` is an upper estimate of its prompt, which is taken as written to the cache anew, the dearest case.
    """
    each = price(model)
    times = each.times(prompt_tokens)
    left = limits.usd - spent.usd - each.of(TurnUsage(cache_write=prompt_tokens))
    affordable = int(left * MILLION / (each.output * times))
    within = min(affordable, limits.tokens - spent.tokens - prompt_tokens, LARGEST_TURN)
    return within if within >= SMALLEST_TURN else 0


def tokens_at_most(text: str) -> int:
    """High estimate of the tokens of a text: half of its UTF-8 bytes. Prose and code have three to five bytes a token."""
    return len(text.encode("utf-8", "surrogatepass")) // 2 + 1
