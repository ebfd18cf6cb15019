import pytest

from tests.e2b_cloud.policy import EVERYTHING, Policy, reaches_this_machine, refusal


@pytest.mark.parametrize(
    ("policy", "reaches"),
    [
        ({}, True),
        ({"denyOut": [EVERYTHING]}, False),
        ({"allow_internet_access": False}, False),
        ({"denyOut": ["10.0.0.0/8"]}, True),
        ({"denyOut": ["127.0.0.0/8"]}, False),
        ({"denyOut": [EVERYTHING], "allowOut": ["127.0.0.1"]}, True),
        ({"denyOut": [EVERYTHING], "allowOut": ["localhost"]}, True),
        ({"denyOut": [EVERYTHING], "allowOut": ["packages.example.org", "10.1.2.3"]}, False),
        ({"allow_internet_access": False, "allowOut": ["127.0.0.0/8"]}, True),
    ],
)
def test_what_is_allowed_goes_before_what_is_denied(policy: Policy, reaches: bool) -> None:
    assert reaches_this_machine(policy) is reaches


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({}, None),
        ({"allowOut": ["10.0.0.1"]}, None),
        ({"denyOut": [EVERYTHING], "allowOut": ["*.example.org"]}, None),
        ({"denyOut": ["example.org"]}, "invalid denied CIDR example.org"),
        ({"rules": {"example.org": []}}, "Network transform rules are not available for your team."),
    ],
)
def test_what_the_api_takes(policy: Policy, said: str | None) -> None:
    assert refusal(policy) == said


def test_names_can_be_allowed_only_where_all_else_is_denied() -> None:
    assert "ALL_TRAFFIC" in (refusal({"allowOut": ["example.org"]}) or "")
