"""The last words of a status comment are read back."""

from app.github.client import GitHub
from app.runs.comments import _edit_surely
from tests.github.conftest import Fake, Reply, app, fake, github, make_app, waits

__all__ = ["app", "fake", "github", "make_app", "waits"]


async def test_a_last_edit_that_github_takes_and_does_not_make_is_made_again_once(fake: Fake, github: GitHub) -> None:
    """FL-G14"""
    fake.replies.extend([Reply(body={"body": "Working"}), Reply(body={"body": "Done\r\nhere\n"})])
    await _edit_surely(github, 1, "Done\nhere")
    assert [seen.body for seen in fake.asked()] == [{"body": "Done\nhere"}] * 2
    await _edit_surely(github, 1, "Done")
    assert len(fake.asked()) == 4, "and where it stays as it was, no more"


async def test_a_last_edit_that_was_made_is_not_made_again(fake: Fake, github: GitHub) -> None:
    fake.replies.append(Reply(body={"body": "Done"}))
    await _edit_surely(github, 1, "Done")
    assert len(fake.asked()) == 1
