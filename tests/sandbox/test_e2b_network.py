"""What a sandbox in E2B may reach, before and after the clone."""

import ipaddress

import pytest
from inline_snapshot import snapshot

from app.sandbox.e2b_network import EVERYTHING, REGISTRIES, Egress, afterwards, from_the_start, while_cloning


def test_while_cloning_only_the_git_server() -> None:
    """RT-S02, RT-S08"""
    assert from_the_start(while_cloning("github.com")) == snapshot(
        {
            "allow_out": ["github.com"],
            "deny_out": ["0.0.0.0/0"],
            "dns_servers": ["8.8.8.8"],
            "allow_public_traffic": False,
        }
    )


def test_nothing_is_nothing_not_even_names() -> None:
    """RT-S02"""
    assert afterwards("none") == snapshot({"allow_out": [], "deny_out": ["0.0.0.0/0"], "dns_servers": []})


def test_everything_only_where_it_was_asked_for() -> None:
    assert afterwards("all") == snapshot({"allow_out": [], "deny_out": [], "dns_servers": ["8.8.8.8"]})


def test_registries_are_whole_host_names_and_github_is_none_of_them() -> None:
    """RT-S05: a host is believed by its name, so no name that strangers share is in it."""
    policy = afterwards("registries")
    assert policy["deny_out"] == [EVERYTHING]
    for host in policy["allow_out"]:  # type: ignore[union-attr]
        assert "*" not in host
        assert "github" not in host
        with pytest.raises(ValueError, match="does not appear to be"):
            ipaddress.ip_network(host)
    assert policy["allow_out"] == list(REGISTRIES)


@pytest.mark.parametrize("egress", ["registries", "none", "all"])
def test_a_policy_leaves_nothing_of_the_one_before(egress: Egress) -> None:
    assert afterwards(egress).keys() == while_cloning("github.com").keys()
