"""What a person gets who has to open the pull request."""

import shlex

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from app.core.task import Repository
from app.publish.by_hand import compare_url, gh_arguments, gh_line

REPOSITORY = Repository(id=1, full_name="o/r")
FORK = Repository(id=2, full_name="mona/r-1")
GITHUB = "https://github.com"


def test_the_page() -> None:
    assert compare_url(GITHUB, REPOSITORY, "main", "fix/a#b", None) == snapshot(
        "https://github.com/o/r/compare/main...o:fix/a%23b?expand=1"
    )
    assert compare_url("https://ghe.example", REPOSITORY, "main", "fix", FORK) == snapshot(
        "https://ghe.example/o/r/compare/main...mona:fix?expand=1"
    )


def test_the_line() -> None:
    arguments = gh_arguments(GITHUB, REPOSITORY, base="main", head="fix", fork=FORK, title="Don't; $(x)", draft=True)
    assert gh_line(arguments, "Fixes #3") == snapshot(
        """gh pr create --repo=github.com/o/r --base=main --head=mona:fix '--title=Don'"'"'t; $(x)' '--body=Fixes #3' --draft"""
    )


@given(st.text(), st.text())
def test_a_shell_reads_it_as_it_is_meant(title: str, note: str) -> None:
    arguments = gh_arguments(GITHUB, REPOSITORY, base="main", head="fix", fork=None, title=title, draft=False)
    read = shlex.split(gh_line(arguments, note))
    assert read == ["gh", *(f"--body={note}" if word == "--body-file=-" else word for word in arguments)]
