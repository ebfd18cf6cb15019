"""What a sandbox in E2B may reach, as network policies. Pure.

A policy replaces the one before it as a whole, so each names every field that one of them sets. Domain names in it make E2B open its
resolver too, by which a command can still send out a little at a time: that is closed with egress "none" alone.
"""

from typing import Literal

from e2b.sandbox.sandbox_api import SandboxNetworkOpts, SandboxNetworkUpdate

Egress = Literal["registries", "none", "all"]

REGISTRIES = (
    "pypi.org", "files.pythonhosted.org",
    "registry.npmjs.org", "registry.yarnpkg.com",
    "index.crates.io", "static.crates.io", "crates.io",
    "proxy.golang.org", "sum.golang.org",
    "repo.maven.apache.org", "repo1.maven.org",
    "deb.debian.org", "security.debian.org",
)  # fmt: skip
"""Whole host names, and none of a content network that strangers share: a host is told by the name the client claims."""
EVERYTHING = "0.0.0.0/0"
RESOLVER = "8.8.8.8"


def while_cloning(git_host: str) -> SandboxNetworkUpdate:
    return _only(git_host)


def afterwards(egress: Egress) -> SandboxNetworkUpdate:
    match egress:
        case "registries":
            return _only(*REGISTRIES)
        case "none":
            return {"allow_out": [], "deny_out": [EVERYTHING], "dns_servers": []}
        case "all":
            return {"allow_out": [], "deny_out": [], "dns_servers": [RESOLVER]}


def from_the_start(policy: SandboxNetworkUpdate) -> SandboxNetworkOpts:
    """The policy as a new sandbox gets it, together with what stays: nobody outside reaches what listens in there."""
    return {
        "allow_out": policy["allow_out"],
        "deny_out": policy["deny_out"],
        "dns_servers": policy["dns_servers"],
        "allow_public_traffic": False,
    }


def _only(*hosts: str) -> SandboxNetworkUpdate:
    return {"allow_out": list(hosts), "deny_out": [EVERYTHING], "dns_servers": [RESOLVER]}
