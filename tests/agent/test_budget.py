"""A task can't cost more than was allowed, whatever the model does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from app.agent.budget import (
    DEAREST,
    LARGEST_TURN,
    PRICES,
    SMALLEST_TURN,
    Limits,
    Spent,
    TurnUsage,
    cost,
    max_tokens,
    price_note,
    tokens_at_most,
    too_little_left,
    why_stop,
)

SONNET = "claude-sonnet-5-5"
LIMITS = Limits(usd=2, minutes=30, turns=60, tokens=4_000_000)
models = st.sampled_from([*PRICES, "claude-unheard-of-9"])
counts = st.integers(0, 300_000)
usages = st.builds(TurnUsage, input=counts, cache_read=counts, cache_write=counts, output=st.integers(0, 40_000))


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        (SONNET, TurnUsage(input=1_000_000), 2.0),
        (SONNET, TurnUsage(cache_read=1_000_000), 0.1),
        (SONNET, TurnUsage(cache_write=1_000_000), 2.5),
        (SONNET, TurnUsage(output=1_000_000), 10.0),
        ("claude-opus-5-5", TurnUsage(input=500_000, output=100_000), 4.0),
        ("claude-haiku-5-5", TurnUsage(input=100_000, output=100_000), 0.06),
        ("claude-haiku-5-5", TurnUsage(input=50_000, cache_read=50_001), 5 * (0.005 + 0.00050001)),
        ("claude-sonnet-4-5-20250929", TurnUsage(output=1_000_000), 15.0),
        ("claude-unheard-of-9", TurnUsage(output=1_000_000), 50.0),
    ],
)
def test_what_a_request_costs(model: str, usage: TurnUsage, usd: float) -> None:
    assert cost(model, usage) == pytest.approx(usd)


def test_a_price_that_is_not_known_is_said() -> None:
    assert price_note(SONNET) is None
    assert price_note("claude-unheard-of-9") == snapshot(
        "The price of `claude-unheard-of-9` is not known here, so the dearest known one is counted."
    )


@given(usages)
def test_no_known_price_is_dearer_than_the_one_for_an_unknown_model(usage: TurnUsage) -> None:
    assert all(price.of(usage) <= DEAREST.of(usage) + 1e-9 for price in PRICES.values())


@given(models, usages, usages)
def test_requests_counted_together_never_cost_less_than_one_by_one(model: str, one: TurnUsage, two: TurnUsage) -> None:
    assert cost(model, one + two) >= cost(model, one) + cost(model, two) - 1e-9


def test_discarded_requests_count_like_accepted_ones() -> None:
    spent = Spent(minutes=3).plus(SONNET, TurnUsage(input=10, output=100), requests=2)
    spent = spent.plus(SONNET, TurnUsage(input=10, output=5), requests=1, turns=1)
    assert (spent.turns, spent.requests, spent.tokens, spent.minutes) == (1, 3, 125, 3)
    assert spent.usd == pytest.approx((20 * 2 + 105 * 10) / 1_000_000)
    assert Spent.model_validate_json(spent.model_dump_json()) == spent


@pytest.mark.parametrize(
    ("spent", "sentence"),
    [
        (Spent(usd=1.99, minutes=29, turns=59, tokens=3_999_999), None),
        (
            Spent(usd=2.004, minutes=7, turns=1),
            snapshot("The limit of $2.00 for this task is reached ($2.00, 1 turn, 7 min)."),
        ),
        (
            Spent(usd=0.5, minutes=30, turns=12),
            snapshot("The limit of 30 minutes for this task is reached ($0.50, 12 turns, 30 min)."),
        ),
        (
            Spent(usd=0.5, minutes=7, turns=60),
            snapshot("The limit of 60 turns for this task is reached ($0.50, 60 turns, 7 min)."),
        ),
        (
            Spent(usd=0.5, minutes=7, turns=12, tokens=4_000_000),
            snapshot("The limit of 4,000,000 tokens for this task is reached ($0.50, 12 turns, 7 min)."),
        ),
    ],
)
def test_the_limit_that_stops_is_said(spent: Spent, sentence: str | None) -> None:
    assert why_stop(spent, LIMITS) == sentence


def test_too_little_left_is_said() -> None:
    assert too_little_left(Spent(usd=1.97, tokens=900_000), LIMITS) == snapshot(
        "What is left of the $2.00 and 4,000,000 tokens for this task is too little for another turn ($1.97 and 900,000 tokens used)."
    )


@pytest.mark.parametrize(
    ("spent", "prompt", "tokens"),
    [
        (Spent(), 10_000, LARGEST_TURN),
        (Spent(usd=1.9), 10_000, 7_500),
        (Spent(usd=1.97), 10_000, 0),
        (Spent(usd=2.5), 10_000, 0),
        (Spent(tokens=3_980_000), 10_000, 10_000),
        (Spent(tokens=3_995_000), 10_000, 0),
    ],
)
def test_how_much_the_next_turn_may_write(spent: Spent, prompt: int, tokens: int) -> None:
    assert max_tokens(spent, LIMITS, SONNET, prompt) == pytest.approx(tokens, abs=1)


@given(models, st.floats(0, 5), st.integers(0, 4_000_000), st.integers(0, 400_000), st.data())
def test_a_turn_within_its_bound_stays_within_the_limits(
    model: str, usd: float, used: int, prompt: int, data: st.DataObject
) -> None:
    """Whatever part of the prompt is cached, and however much the model writes."""
    spent = Spent(usd=usd, tokens=used)
    room = max_tokens(spent, LIMITS, model, prompt)
    assert room == 0 or SMALLEST_TURN <= room <= LARGEST_TURN
    if room:
        plain, read = data.draw(st.integers(0, prompt)), data.draw(st.integers(0, prompt))
        read = min(read, prompt - plain)
        usage = TurnUsage(
            input=plain, cache_read=read, cache_write=prompt - plain - read, output=data.draw(st.integers(0, room))
        )
        after = spent.plus(model, usage, requests=1, turns=1)
        assert after.usd <= LIMITS.usd + 1e-9
        assert after.tokens <= LIMITS.tokens


@given(models, st.lists(st.tuples(st.integers(0, 100_000), st.floats(0, 1), st.booleans()), max_size=80))
def test_no_conversation_exceeds_its_limits(model: str, asked: list[tuple[int, float, bool]]) -> None:
    """RT-D02, RT-D03. Turn by turn, accepted or lost, each as dear as it may be; the loop asks only while it may."""
    spent = Spent()
    for prompt, part, accepted in asked:
        room = max_tokens(spent, LIMITS, model, prompt)
        if why_stop(spent, LIMITS) or not room:
            break
        usage = TurnUsage(cache_write=prompt, output=int(room * part))
        spent = spent.plus(model, usage, requests=1, turns=int(accepted))
    assert spent.usd <= LIMITS.usd + 1e-9
    assert spent.tokens <= LIMITS.tokens
    assert spent.turns <= LIMITS.turns


@given(st.text())
def test_a_text_has_no_more_tokens_than_estimated(text: str) -> None:
    assert tokens_at_most(text) >= len(text.encode("utf-8", "surrogatepass")) / 3
