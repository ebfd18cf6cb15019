"""A sandbox's network policy, as the API has it: is it one, and may commands reach this machine under it."""

import ipaddress
from collections.abc import Mapping
from typing import Any

Policy = Mapping[str, Any]
EVERYTHING = "0.0.0.0/0"
THIS_MACHINE = ("127.0.0.1", "localhost")
BLOCK_ALL_FIRST = "When specifying allowed domains in allow out, you must include 'ALL_TRAFFIC' in deny out to block all other traffic."


def refusal(policy: Policy) -> str | None:
    """What the API says where it does not take the policy."""
    allowed, denied = policy.get("allowOut") or [], policy.get("denyOut") or []
    for entry in denied:
        if _network(entry) is None:
            return f"invalid denied CIDR {entry}"
    if EVERYTHING not in denied and any(_network(entry) is None for entry in allowed):
        return BLOCK_ALL_FIRST
    if policy.get("rules"):
        return "Network transform rules are not available for your team."
    return None


def reaches_this_machine(policy: Policy) -> bool:
    """What is allowed goes before what is denied; the rest is allowed."""
    address = ipaddress.ip_address(THIS_MACHINE[0])
    for entry in policy.get("allowOut") or []:
        network = _network(entry)
        if entry in THIS_MACHINE or (network and address in network):
            return True
    if policy.get("allow_internet_access") is False:
        return False
    return not any(address in network for entry in policy.get("denyOut") or [] if (network := _network(entry)))


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
