"""The words everybody shares."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.task import CodeRequest, Repository
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
    assert asked(title=title).head_branch == f"backspace/12-{slug}"


@given(st.text())
def test_whatever_the_title_the_slug_is_plain_and_short(title: str) -> None:
    """RT-G09. No title makes a branch name that git or a shell reads in another way."""
    slug = asked(title=title).head_branch.removeprefix("backspace/12-")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert len(slug) <= 40


def test_work_that_was_asked_for_directly_gets_a_branch_of_its_own_or_the_one_it_named() -> None:
    asked = CodeRequest(
        key="k-00000001abcd",
        repository=Repository(id=1, full_name="o/r"),
        instruction="Validate all POST bodies, please",
        asked_at="2026-11-22T12:00:00Z",
        caller="ci",
    )
    assert asked.head_branch == "backspace/validate-all-post-bodies-please-abcd"
    assert asked.model_copy(update={"branch": "fix/post"}).head_branch == "fix/post"
