"""The words everybody shares."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.publish.conftest import asked


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Validate POST bodies", "validate-post-bodies"),
        ("The shopping list has two lines for flour", "the-shopping-list-has-two-lines-for"),
        ("x" * 100, "x" * 40),
        ("日本語", "work"),
        ("--upload-pack=x; rm -rf / .lock", "upload-pack-x-rm-rf-lock"),
    ],
)
def test_a_branch_is_named_after_the_issue_by_whole_words(title: str, slug: str) -> None:
    assert asked(title=title).branch_slug == slug


@given(st.text())
def test_whatever_the_title_the_slug_is_plain_and_short(title: str) -> None:
    """No title makes a branch name that git or a shell reads in another way."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", asked(title=title).branch_slug)
    assert len(asked(title=title).branch_slug) <= 40
