"""Who and what can ask for work, seen from the payload alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.task import Actor, Control, Repository, ThreadRequest
from app.trigger.policy import Access, BadPayload, access, decide, may_start
from tests.trigger.payloads import ALICE, BOT, comment, issue, labeled


def ask(event: str, payload: dict[str, Any]) -> ThreadRequest | Control | None:
    return decide(event, payload, "d-1", label="backspace")


def word(event: str, payload: dict[str, Any]) -> str | None:
    asked = ask(event, payload)
    assert isinstance(asked, Control)
    return asked.word


def test_a_comment_becomes_a_request_made_of_the_payloads_own_snapshot() -> None:
    """RT-T15"""
    assert ask("issue_comment", comment("/backspace Validate all\nPOST bodies")) == ThreadRequest(
        key="c-1234-900",
        delivery="d-1",
        installation=7,
        repository=Repository(id=1234, full_name="acme/api"),
        thread=12,
        actor=Actor(id=11, login="alice"),
        instruction="Validate all\nPOST bodies",
        title="Bad bodies crash the API",
        body="Every POST.",
        comment_id=900,
        url="https://github.com/acme/api/issues/12#issuecomment-900",
        asked_at="2026-11-20T10:05:00Z",
    )


def test_the_label_asks_with_a_fixed_sentence_in_the_name_of_who_set_it() -> None:
    asked = ask("issues", labeled("Backspace", issue=issue(body=None)))
    assert isinstance(asked, ThreadRequest)
    assert (asked.instruction, asked.actor.login, asked.body) == ("Resolve this issue.", "alice", "")
    assert (asked.key, asked.comment_id) == ("l-1234-12-20261120t100000z", None)


def test_the_same_comment_in_another_delivery_is_the_same_task() -> None:
    first, second = (decide("issue_comment", comment(), d, label="backspace") for d in ("d-1", "d-2"))
    assert isinstance(first, ThreadRequest)
    assert isinstance(second, ThreadRequest)
    assert first.key == second.key


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("issue_comment", comment("just talk")),
        ("issue_comment", comment(action="edited")),
        ("issue_comment", comment(action="deleted")),
        ("issue_comment", comment(sender=BOT)),
        ("issue_comment", comment(sender={**ALICE, "type": "Organization"})),
        ("issue_comment", comment(sender={**ALICE, "id": 12})),
        ("issue_comment", comment(comment={**comment()["comment"], "user": BOT}, sender=BOT)),
        ("issue_comment", comment(comment={**comment()["comment"], "user": None})),
        ("issues", labeled("bug")),
        ("issues", labeled(sender=BOT)),
        ("issues", labeled(action="unlabeled")),
        ("issues", labeled(action="opened")),
        ("issues", labeled(issue=issue(pull_request={"url": "x"}))),
        ("pull_request_review_comment", comment()),
        ("commit_comment", comment()),
        ("discussion_comment", comment()),
        ("ping", {"zen": "…"}),
        ("", {}),
    ],
)
def test_nothing_is_asked(event: str, payload: dict[str, Any]) -> None:
    """RT-T03, RT-T05, RT-T11, RT-T12, RT-T14: in a discussion too, for the App may not answer there."""
    assert ask(event, payload) is None


def test_work_on_a_closed_or_locked_issue_is_refused_but_stop_still_stops() -> None:
    """RT-T12"""
    for over in (issue(state="closed"), issue(locked=True)):
        assert word("issue_comment", comment(issue=over)) == "closed"
        assert word("issues", labeled(issue=over)) == "closed"
        assert word("issue_comment", comment("/backspace stop", issue=over)) == "stop"


def test_a_pull_request_gets_an_answer_and_no_work() -> None:
    """RT-T13"""
    on_pull = issue(pull_request={"url": "https://api.github.com/repos/acme/api/pulls/12"})
    assert word("issue_comment", comment(issue=on_pull)) == "pull_request"
    assert word("issue_comment", comment("/backspace help", issue=on_pull)) == "help"


def test_an_approval_is_taken_on_issues_and_on_pull_requests() -> None:
    """Its hash is from the first line of whoever acts, never from what they quote."""
    named = "9f3c2e1b" * 4
    on_pull = issue(pull_request={"url": "https://api.github.com/repos/acme/api/pulls/12"})
    for where in (issue(), on_pull, issue(state="closed")):
        asked = ask("issue_comment", comment(f"/backspace approve {named}", issue=where))
        assert isinstance(asked, Control)
        assert (asked.word, asked.said) == ("approve", named)
    assert ask("issue_comment", comment(f"> /backspace approve {named}", issue=on_pull)) is None
    assert ask("issue_comment", comment(f"/backspace approve {named}", sender=BOT, issue=on_pull)) is None


def test_a_word_not_done_yet_is_named() -> None:
    asked = ask("issue_comment", comment("/backspace retry"))
    assert isinstance(asked, Control)
    assert (asked.word, asked.said) == ("later", "retry")


@pytest.mark.parametrize(
    "broken",
    [
        {"comment": "x"},
        {"comment": {**comment()["comment"], "id": "900"}},
        {"comment": {**comment()["comment"], "body": None}},
        {"comment": {**comment()["comment"], "body": "/backspace \ud800"}},
        {"comment": {**comment()["comment"], "html_url": "javascript:alert(1)"}},
        {"issue": issue(number="1; rm")},
        {"issue": issue(number=True)},
        {"issue": issue(number=-1)},
        {"issue": issue(number=10**30)},
        {"issue": issue(title=None)},
        {"repository": {"id": 1, "full_name": "acme/api/../x"}},
        {"repository": {"id": 1, "full_name": "acme"}},
        {"sender": {**ALICE, "login": "a/../b"}},
        {"sender": None},
        {"installation": None},
        {"installation": {"id": "7"}},
    ],
)
def test_what_github_would_not_send_is_a_bad_payload(broken: dict[str, Any]) -> None:
    """RT-W13"""
    with pytest.raises(BadPayload, match=next(iter(broken))):
        ask("issue_comment", comment(**broken))


def test_the_error_names_the_field_and_not_its_value() -> None:
    with pytest.raises(BadPayload) as caught:
        ask("issue_comment", comment(issue=issue(number="s3cret")))
    assert str(caught.value) == "malformed or missing: issue.number"


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(field=st.sampled_from(sorted(comment())), value=json)
def test_any_json_in_any_field_is_decided_or_refused_and_never_crashes(field: str, value: Any) -> None:
    try:
        asked = ask("issue_comment", comment(**{field: value}))
    except BadPayload:
        return
    assert asked is None or isinstance(asked, ThreadRequest | Control)


def test_no_text_holds_what_no_database_takes() -> None:
    asked = ask("issue_comment", comment("/backspace a\0b", issue=issue(title="c\0d", body="\0")))
    assert isinstance(asked, ThreadRequest)
    assert (asked.instruction, asked.title, asked.body) == ("ab", "cd", "")


INSTALLED = {"installation": {"id": 7}, "repositories": [{"id": 1}, {"id": 2}], "repositories_removed": [{"id": 3}]}


@pytest.mark.parametrize(
    ("event", "action", "expected"),
    [
        ("installation", "deleted", Access("removed", 7, (1, 2))),
        ("installation_repositories", "removed", Access("removed", 7, (3,), whole=False)),
        ("installation", "suspend", Access("suspended", 7)),
        ("installation", "unsuspend", Access("restored", 7)),
        ("installation", "created", None),
        ("installation", "new_permissions_accepted", None),
        ("installation_repositories", "added", None),
        ("repository", "deleted", None),
        ("issues", "deleted", None),
    ],
)
def test_what_the_app_may_do_now(event: str, action: str, expected: Access | None) -> None:
    """FL-G07, FL-G08, FL-G09"""
    assert access(event, {**INSTALLED, "action": action}) == expected


@pytest.mark.parametrize("broken", [{"installation": None}, {"installation": {"id": "7"}}, {"repositories": "all"}])
def test_a_removal_that_names_nothing_is_a_bad_payload(broken: dict[str, Any]) -> None:
    with pytest.raises(BadPayload, match=next(iter(broken))):
        access("installation", {**INSTALLED, "action": "deleted", **broken})


@pytest.mark.parametrize("level", ["write", "maintain", "admin"])
def test_write_access_may_start(level: str) -> None:
    assert may_start(level)


@given(st.text() | st.sampled_from(["read", "triage", "none", "", "WRITE", "admin ", "owner"]))
def test_nothing_else_may_start(level: str) -> None:
    assert may_start(level) == (level in {"write", "maintain", "admin"})
