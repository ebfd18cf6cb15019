"""What each reply of GitHub means: with the messages that GitHub really gives."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Transient, UserError
from app.core.redact import Redactor
from app.github.errors import Conflict, NotFound, RateLimited, Refused, Unauthorized, failure

NOW = 1_800_000_000.0


def meant(status: int, body: Any = None, **headers: str) -> Exception | None:
    raw = body if isinstance(body, bytes) else json.dumps(body or {"message": "?"}).encode()
    return failure(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw, NOW)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 599, 999])
def test_trouble_at_github_passes(status: int) -> None:
    """FL-G01"""
    assert isinstance(meant(status, b"<html>Unicorn!</html>"), Transient)


@pytest.mark.parametrize("body", [b"<html>", b"{", b"\xff", b"[" * 100_000])
def test_a_success_that_is_not_json_is_none(body: bytes) -> None:
    """FL-G01"""
    assert isinstance(meant(200, body), Transient)


def test_an_empty_success_is_one() -> None:
    assert meant(204, b"") is None


@pytest.mark.parametrize(
    ("status", "message", "headers", "seconds"),
    [
        (403, "API rate limit exceeded", {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOW) + 90)}, 90),
        (429, "API rate limit exceeded", {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOW) + 90)}, 90),
        (403, "You have exceeded a secondary rate limit", {"retry_after": "17"}, 17),
        (429, "", {"retry_after": "17"}, 17),
        (403, "You have exceeded a secondary rate limit", {"x_ratelimit_remaining": "4000"}, None),
        (429, "", {"retry_after": "soon"}, None),
        (403, "", {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1"}, 1),
    ],
)
def test_limits_say_when_to_come_back(
    status: int, message: str, headers: dict[str, str], seconds: float | None
) -> None:
    """FL-G02, FL-G03, FL-G04"""
    limit = meant(status, {"message": message}, **headers)
    assert isinstance(limit, RateLimited)
    assert limit.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (403, "Repository was archived so is read-only.", "archived"),
        (403, "This installation has been suspended", "suspended"),
        (403, "Unable to create comment because issue is locked.", "locked"),
        (403, "Resource not accessible by integration", "lacks a permission"),
        (403, "Although you appear to have the correct authorization, no.", "GitHub does not allow it: Although"),
        (409, "Git Repository is empty.", "make a first commit"),
    ],
)
def test_what_a_person_must_change_is_said(status: int, message: str, says: str) -> None:
    """FL-G11"""
    refused = meant(status, {"message": message})
    assert isinstance(refused, Refused)
    assert isinstance(refused, UserError)
    assert says in str(refused)


def test_bad_credentials_are_the_operators() -> None:
    assert isinstance(meant(401, {"message": "Bad credentials"}), Unauthorized)


@pytest.mark.parametrize("status", [404, 410])
def test_gone(status: int) -> None:
    assert isinstance(meant(status), NotFound)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            {"message": "Validation Failed", "errors": [{"message": "A pull request already exists for o:b."}]},
            "Validation Failed: A pull request already exists for o:b.",
        ),
        (
            {"message": "Validation Failed", "errors": [{"field": "base", "code": "invalid"}, "and more"]},
            "Validation Failed: base invalid: and more",
        ),
        ({"message": "Reference already exists"}, "Reference already exists"),
        ({"message": "No", "errors": "a string"}, "No: a string"),
        ({"message": "x\n" * 4000}, "x " * 1000 + "…"),
        (["a list"], "no reason given"),
    ],
)
def test_a_conflict_carries_githubs_reason(body: Any, says: str) -> None:
    conflict = meant(422, body)
    assert isinstance(conflict, Conflict)
    assert str(conflict) == says


def test_half_a_secret_in_githubs_reason_is_found() -> None:
    """A redactor knows where a text was cut by its ellipsis."""
    secret = "a-secret-that-a-server-knows"
    conflict = meant(422, {"message": f"{'x' * 1980}: {secret}"})
    said = Redactor([secret]).text(f"GitHub did not accept it: {conflict} Ask again.")
    assert said == f"GitHub did not accept it: {'x' * 1980}: [redacted]… Ask again."


@given(
    st.integers(100, 999),
    st.binary(),
    st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset"]), st.text()),
)
def test_any_reply_has_a_meaning(status: int, body: bytes, headers: dict[str, str]) -> None:
    error = failure(status, headers, body, NOW)
    assert (error is None) <= (status in (200, 201, 202, 204))
    assert "\n" not in str(error)
