"""The setting that holds the keys of `/code`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.api_keys import parse


def test_keys_stand_apart_by_white_space_or_semicolons() -> None:
    ci, docs, on_call = parse(
        "ci:0123456789abcdef; docs:fedcba9876543210:Octo-Org/docs,octo-org/site\non.call:Zm9vYmFyYmF6cXV4Cg=="
    )
    assert [key.name for key in (ci, docs, on_call)] == ["ci", "docs", "on.call"]
    assert docs.key.get_secret_value() == "fedcba9876543210"
    assert ci.may_name("octo-org/larder")
    assert docs.may_name("octo-org/Docs")
    assert not docs.may_name("octo-org/docs2")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("canary-without-a-name", 1),
        ("ci:canary-too-sho", 1),
        ("ci:0123456789abcdef docs:canary!canary!canary", 2),
        ("ci:canary0123456789:octo-org", 1),
        ("ci:canary0123456789:octo-org/a/b", 1),
        ("ci:canary0123456789:octo-org/a,", 1),
        ("ci:canary0123456789:", 1),
        (":canary0123456789", 1),
        ("ci:canary0123456789:o/r:canary", 1),
        ("ci: canary0123456789", 1),
    ],
)
def test_a_malformed_entry_is_told_by_its_place_and_not_by_its_words(text: str, place: int) -> None:
    with pytest.raises(ValueError, match=f"^entry {place} must be name:key or name:key:owner/repo") as refused:
        parse(text)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("text", ["a:0123456789abcdef a:fedcba9876543210", "a:0123456789abcdef b:0123456789abcdef"])
def test_a_name_and_a_key_belong_to_each_other(text: str) -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        parse(text)


def test_whoever_asks_without_a_key_has_a_name_that_no_key_has() -> None:
    with pytest.raises(ValueError, match=r"^entry 2 must have another name: local is who asks without a key$"):
        parse("ci:0123456789abcdef local:fedcba9876543210")


@pytest.mark.parametrize("text", ["", " ; "])
def test_no_key_at_all_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="must hold at least one key"):
        parse(text)


@given(st.text())
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        keys = parse(text)
    except ValueError:
        return
    assert all(len(key.key.get_secret_value()) >= 16 for key in keys)
