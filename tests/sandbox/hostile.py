"""Run inside a sandbox by test_walls.py: tries to get out, and prints as JSON what happened to each attempt.

"got …": it worked. "denied …": the system's own word. What it needs to know of the host is its one argument, as JSON.
"""

import ctypes
import glob
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

HOST: dict[str, Any] = json.loads(sys.argv[1])
C = ctypes.CDLL(None, use_errno=True)
KEYCTL = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
PTRACE_ATTACH, CLONE_NEWUSER, AF_VSOCK_HOST = 16, 0x10000000, 2
SEARCH, READ, SESSION = 10, 11, -3


def checked(returned: int) -> int:
    if returned < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return returned


def connected(family: int, address: Any, kind: int = socket.SOCK_STREAM) -> str:
    with socket.socket(family, kind) as s:
        s.settimeout(1)
        s.connect(address)
        s.send(b"x")
    return "a connection"


def raw(family: int, protocol: int) -> str:
    with socket.socket(family, socket.SOCK_RAW, protocol):
        return "a raw socket"


def read(pattern: str) -> str:
    """The first readable file that fits."""
    found = glob.glob(pattern) or [pattern]
    for path in found:
        with open(path, "rb") as file:
            return repr(file.read(64))
    raise FileNotFoundError(pattern)


def write(path: str) -> str:
    with open(path, "ab") as file:
        file.write(b"x")
    return "written"


def opened(path: str) -> str:
    """For writing, and nothing is written: it would be for the whole machine."""
    os.close(os.open(path, os.O_WRONLY))
    return "open for writing"


def listed(path: str) -> str:
    return " ".join(os.listdir(path))


def host_key() -> str:
    """A key in the session keyring of whoever started us."""
    key = checked(C.syscall(KEYCTL, SEARCH, SESSION, b"user", HOST["key"].encode(), 0))
    buffer = ctypes.create_string_buffer(64)
    checked(C.syscall(KEYCTL, READ, key, buffer, 64))
    return repr(buffer.value)


def as_root(program: str) -> str:
    """A program with the setuid bit: as whom does it run?"""
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
        try:
            with open(f"/proc/{p.pid}/status") as status:
                ids = next(line for line in status if line.startswith("Uid:")).split()[1:]
        finally:
            p.kill()
    if "0" not in ids:
        raise PermissionError(1, f"runs as {ids[0]}")
    return "root"


def more_than(path: str, size: int) -> str:
    """A file of that size, at once."""
    with open(path, "wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        finally:
            os.unlink(path)
    return f"{size} bytes"


def made(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=5)
    if done.returncode:
        raise PermissionError(1, done.stderr.strip()[-80:])
    return done.stdout[:80]


INET, INET6, UNIX, UDP = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.SOCK_DGRAM
ATTEMPTS: dict[str, Callable[[], Any]] = {
    "tcp to the host": lambda: connected(INET, ("127.0.0.1", HOST["port"])),
    "tcp to the host, IPv6": lambda: connected(INET6, ("::1", HOST["port"])),
    "tcp to the host's address": lambda: connected(INET, (HOST["address"], HOST["port"])),
    "tcp abroad": lambda: connected(INET, ("1.1.1.1", 443)),
    "tcp abroad, IPv6": lambda: connected(INET6, ("2606:4700:4700::1111", 443)),
    "udp abroad": lambda: connected(INET, ("1.1.1.1", 443), UDP),
    "mail": lambda: connected(INET, ("1.1.1.1", 25)),
    "dns by address": lambda: connected(INET, ("8.8.8.8", 53), UDP),
    "dns by name": lambda: socket.getaddrinfo("example.com", 443),
    "metadata address": lambda: connected(INET, ("169.254.169.254", 80)),
    "raw ip": lambda: raw(INET, socket.IPPROTO_ICMP),
    "raw frames": lambda: raw(socket.AF_PACKET, 0x0300),
    "vsock to the host": lambda: connected(socket.AF_VSOCK, (AF_VSOCK_HOST, HOST["port"])),
    "abstract unix socket": lambda: connected(UNIX, "\0" + HOST["abstract"]),
    "unix socket of the host": lambda: connected(UNIX, HOST["socket"]),
    "X11": lambda: connected(UNIX, "/tmp/.X11-unix/X0"),
    "D-Bus": lambda: connected(UNIX, "/run/dbus/system_bus_socket"),
    "Docker": lambda: connected(UNIX, "/var/run/docker.sock"),
    "other run": lambda: read(HOST["other run"]),
    "server's file": lambda: read(HOST["file"]),
    "server's environment": lambda: read(f"/proc/{HOST['pid']}/environ"),
    "keys of ssh": lambda: listed(HOST["home"] + "/.ssh"),
    "shadow": lambda: read("/etc/shadow"),
    "keys of TLS": lambda: listed("/etc/ssl/private"),
    "server's file by another root": lambda: read("/proc/1/root" + HOST["file"]),
    "calls of the keeper": lambda: listed("/output/../calls"),
    "server's session key": host_key,
    "write where programs are": lambda: write("/usr/bin/python3"),
    "write where our programs are": lambda: write("/opt/backspace/bin/python3"),
    "write in etc": lambda: write("/etc/passwd"),
    "write in the root": lambda: write("/x"),
    "write in dev": lambda: write("/dev/x"),
    "write an output": lambda: write(HOST["output"]),
    "write to the server": lambda: write(HOST["file"]),
    "write a key of ssh": lambda: write(HOST["home"] + "/.ssh/authorized_keys"),
    "set what the kernel runs for a crash": lambda: opened("/proc/sys/kernel/core_pattern"),
    "set how it gives out memory": lambda: opened("/proc/sys/vm/overcommit_memory"),
    "sysrq": lambda: opened("/proc/sysrq-trigger"),
    "memory of the kernel": lambda: read("/proc/kcore"),
    "messages of the kernel": lambda: read("/proc/kmsg"),
    "sys": lambda: listed("/sys/kernel"),
    "memory device": lambda: read("/dev/mem"),
    "disks": lambda: read("/dev/[sv]d[a-z]"),
    "kvm": lambda: opened("/dev/kvm"),
    "make a device": lambda: os.mknod("/tmp/sda", 0o60666, os.makedev(8, 0)),
    "signal to the server": lambda: os.kill(HOST["pid"], signal.SIGTERM),
    "ptrace the server": lambda: checked(C.ptrace(PTRACE_ATTACH, HOST["pid"], 0, 0)),
    "mount": lambda: checked(C.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    "unmount": lambda: checked(C.umount2(b"/usr", 2)),
    "new user namespace": lambda: checked(C.unshare(CLONE_NEWUSER)),
    "new user namespace by a program": lambda: made("unshare", "-Ur", "true"),
    "become root": lambda: os.setuid(0),
    "root by setuid": lambda: as_root("/usr/bin/su"),
    "other root": lambda: os.chroot("/tmp"),
    "host name": lambda: socket.sethostname("x"),
    "priority": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "memory by shm": lambda: more_than("/dev/shm/x", HOST["shm"] + 1),
    "large file": lambda: more_than(os.path.expanduser("~/x"), HOST["file size"] + 1),
    "much memory": lambda: len(bytearray(HOST["data"] + 1)),
}


def tried(attempt: Callable[[], Any]) -> str:
    try:
        return f"got {attempt()}"
    except (OSError, MemoryError) as e:
        return f"denied: {type(e).__name__} {e}"


print(json.dumps({name: tried(attempt) for name, attempt in ATTEMPTS.items()}))
