"""Token and cache figures come from prefixes that really repeat."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.simulator.model_usage import CACHE_SECONDS, Cache, prefixes
from tests.simulator_model.conftest import body

LONG = "word " * 1000  # 1,250 tokens
AUTO: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}


def figures(usage: dict[str, Any]) -> tuple[int, int, int]:
    return usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]


def test_without_a_mark_nothing_is_cached() -> None:
    cache = Cache()
    assert figures(cache.usage(body(LONG), 0)) == figures(cache.usage(body(LONG), 0))
    assert figures(cache.usage(body(LONG), 0))[1:] == (0, 0)


def test_what_one_request_wrote_the_next_one_reads() -> None:
    cache = Cache()
    plain, read, written = figures(cache.usage(body(LONG, **AUTO), 0))
    assert (plain, read) == (0, 0)
    more = {"role": "assistant", "content": "ok"}
    assert figures(cache.usage(body(LONG, more, "go on", **AUTO), 1))[1] == written


def test_a_short_prefix_is_not_cached() -> None:
    cache = Cache()
    cache.usage(body("hi", **AUTO), 0)
    assert figures(cache.usage(body("hi", **AUTO), 0))[1:] == (0, 0)


def test_the_cache_forgets_after_five_minutes_without_use() -> None:
    cache, request = Cache(), body(LONG, **AUTO)
    cache.usage(request, 0)
    assert figures(cache.usage(request, CACHE_SECONDS - 1))[1] > 0
    assert figures(cache.usage(request, 2 * CACHE_SECONDS - 2))[1] > 0, "reading keeps it"
    assert figures(cache.usage(request, 3 * CACHE_SECONDS))[1] == 0


def test_a_change_before_the_mark_misses() -> None:
    cache = Cache()
    cache.usage(body(LONG, **AUTO, system="one"), 0)
    assert figures(cache.usage(body(LONG, **AUTO, system="two"), 0))[1] == 0
    assert figures(cache.usage(body(LONG, **AUTO, system="one") | {"model": "claude-opus-5-5"}, 0))[1] == 0


def test_a_prefix_more_than_twenty_blocks_back_is_found_only_with_a_mark() -> None:
    cache = Cache()
    cache.usage(body(LONG, **AUTO), 0)
    many = {"role": "user", "content": [{"type": "text", "text": str(i)} for i in range(20)]}
    marked = {"role": "user", "content": [{"type": "text", "text": LONG, **AUTO}]}
    assert figures(Cache().usage(body(LONG, many, **AUTO), 0))[1] == 0
    assert figures(cache.usage(body(marked, many, **AUTO), 0))[1] > 0


@given(st.lists(st.text(min_size=1, max_size=3000), min_size=1, max_size=6), st.booleans())
def test_every_token_is_counted_once(said: list[str], mark: bool) -> None:
    cache = Cache()
    for end in range(1, len(said) + 1):
        request = body(*said[:end], **(AUTO if mark else {}))
        assert sum(figures(cache.usage(request, 0))) == prefixes(request)[-1].tokens
