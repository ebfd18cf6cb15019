"""Process 1 of a sandbox: starts its processes and opens its files when the stand-in asks, over a socket. Standard library only.

A request is a length and JSON, with the descriptors a new process gets; the reply is the same, with the descriptor of an opened file.
How processes end is written to a second descriptor, one JSON line each. It stays in the host's network; what it starts without network
is put into one namespace of the sandbox's own, so that commands reach each other on localhost either way.
"""

import ctypes
import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

HOME = "/home/user"
CLONE_NEWNET = 0x40000000
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """With a code of the Connect protocol."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def call(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def offline_network() -> int:
    """Descriptor of a new network with nothing in it but localhost."""
    ready, done = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        call(libc.unshare(CLONE_NEWNET))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            name = struct.pack("16sh14x", b"lo", 0)
            (flags,) = struct.unpack("16xh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, name))
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
        os.write(ready[1], b".")
        os.close(done[1])
        os.read(done[0], 1)
        os._exit(0)
    os.close(ready[1])
    if not os.read(ready[0], 1):
        raise RuntimeError("no network namespace of the sandbox's own")
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    for end in (ready[0], *done):
        os.close(end)
    os.waitpid(pid, 0)
    return network


def settle(network: int | None) -> None:
    """In the new process, before it becomes the command: its network, and none of our privileges."""
    if network is not None:
        call(libc.setns(network, CLONE_NEWNET))
    call(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))


def resolve(path: str) -> str:
    if path.startswith("~"):
        if path[1:2] not in ("", "/"):
            raise Refused("invalid_argument", f"failed to expand path '{path}': cannot expand user-specific home dir")
        return os.path.normpath(HOME + path[1:])
    return path if path.startswith("/") else os.path.normpath(os.path.join(HOME, path))


def readable(name: str) -> str:
    return os.fsencode(name).decode(errors="replace")


def entry(path: str) -> dict[str, Any]:
    try:
        own = os.lstat(path)
    except FileNotFoundError:
        raise Refused("not_found", f"file not found: lstat {readable(path)}: no such file or directory") from None
    link = stat.S_ISLNK(own.st_mode)
    try:
        seen = os.stat(path)
        kind = "FILE" if stat.S_ISREG(seen.st_mode) else "DIRECTORY" if stat.S_ISDIR(seen.st_mode) else "UNSPECIFIED"
    except OSError:
        seen, kind = own, "UNSPECIFIED"
    seconds, rest = divmod(own.st_mtime_ns, 10**9)
    found = {
        "name": readable(os.path.basename(path)),
        "type": f"FILE_TYPE_{kind}",
        "path": readable(path),
        "size": str(own.st_size),
        "mode": stat.S_IMODE(seen.st_mode) & 0o777,
        "permissions": stat.filemode(own.st_mode).replace("l", "L", 1) if link else stat.filemode(own.st_mode),
        "owner": "user",
        "group": "user",
        "modifiedTime": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z",
    }
    return found | ({"symlinkTarget": readable(os.path.realpath(path))} if link else {})


def walk(folder: str, seen_as: str, depth: int) -> Iterator[dict[str, Any]]:
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        yield entry(path) | {"path": readable(os.path.join(seen_as, name))}
        if depth > 1 and os.path.isdir(path) and not os.path.islink(path):
            yield from walk(path, os.path.join(seen_as, name), depth - 1)


def open_file(path: str, write: bool) -> int:
    path = resolve(path)
    if os.path.isdir(path):
        said = f"path is a directory: {path}" if write else f"path '{path}' is a directory"
        raise Refused("invalid_argument", said)
    if write:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o666)
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Refused("not_found", f"path '{path}' does not exist") from None


class Guest:
    def __init__(self, network: int) -> None:
        self.offline = network
        self.leaders: set[int] = set()

    def spawn(self, ask: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        cwd = resolve(ask["cwd"])
        if not os.path.exists(cwd):
            raise Refused("invalid_argument", f"cwd '{cwd}' does not exist")
        network = None if ask["network"] else self.offline
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'exec "$@"', "--", *ask["argv"]],
            env=ask["env"], cwd=cwd, stdin=fds[0], stdout=fds[1], stderr=fds[2], preexec_fn=lambda: settle(network),
        )  # fmt: skip
        process.returncode = 0  # or its end would be collected behind our back
        self.leaders.add(process.pid)
        return {"pid": process.pid}

    def signal(self, ask: dict[str, Any]) -> dict[str, Any]:
        os.kill(ask["pid"], ask["signal"])
        return {}

    def stat(self, ask: dict[str, Any]) -> dict[str, Any]:
        return {"entry": entry(resolve(ask["path"]))}

    def list_dir(self, ask: dict[str, Any]) -> dict[str, Any]:
        path = resolve(ask["path"])
        real = os.path.realpath(path)
        if not os.path.lexists(real):
            raise Refused("not_found", f"path not found: lstat {path}: no such file or directory")
        if not os.path.isdir(real):
            raise Refused("invalid_argument", f"path is not a directory: {real}")
        return {"entries": list(walk(real, path, ask["depth"] or 1))}

    def make_dir(self, ask: dict[str, Any]) -> dict[str, Any]:
        path = resolve(ask["path"])
        if os.path.isdir(path):
            raise Refused("already_exists", f"directory already exists: {path}")
        if os.path.exists(path):
            raise Refused("invalid_argument", f"path already exists but it is not a directory: {path}")
        os.makedirs(path)
        return {"entry": entry(path)}

    def move(self, ask: dict[str, Any]) -> dict[str, Any]:
        source, destination = resolve(ask["source"]), resolve(ask["destination"])
        os.makedirs(os.path.dirname(destination), exist_ok=True)
        try:
            os.rename(source, destination)
        except FileNotFoundError as e:
            raise Refused("not_found", f"source file not found: {e}") from None
        return {"entry": entry(destination)}

    def remove(self, ask: dict[str, Any]) -> dict[str, Any]:
        path = resolve(ask["path"])
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        return {}

    def answer(self, ask: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], list[int]]:
        try:
            if ask["do"] == "spawn":
                return self.spawn(ask, fds), []
            if ask["do"] == "open":
                return {"path": resolve(ask["path"])}, [open_file(ask["path"], ask["write"])]
            do = {"signal": self.signal, "stat": self.stat, "list_dir": self.list_dir, "make_dir": self.make_dir,
                  "move": self.move, "remove": self.remove}[ask["do"]]  # fmt: skip
            return do(ask), []
        except Refused as e:
            return {"code": e.code, "message": str(e)}, []
        except (OSError, ValueError, subprocess.SubprocessError) as e:
            return {"code": "internal", "message": str(e)}, []

    def ended(self) -> Iterator[dict[str, int]]:
        """Everybody who has ended is collected; the ends of those we started are told."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.leaders:
                self.leaders.discard(pid)
                yield {"pid": pid, "status": os.waitstatus_to_exitcode(status)}


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """One request. None: there will be no more."""
    size, fds, _, _ = socket.recv_fds(channel, 4, 3)
    if len(size) < 4:
        return None
    body, left = b"", struct.unpack("!I", size)[0]
    while len(body) < left:
        body += channel.recv(left - len(body))
    return json.loads(body), fds


def main() -> None:
    channel, events = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    for inherited in (channel.fileno(), events):
        os.set_inheritable(inherited, False)
    os.umask(0o022)
    wake, ring = os.pipe()
    os.set_blocking(ring, False)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    guest = Guest(offline_network())
    channel.sendall(b".")
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is wake:
                    os.read(wake, 4096)
                elif (asked := receive(channel)) is None:
                    return
                else:
                    reply, opened = guest.answer(*asked)
                    body = json.dumps(reply).encode()
                    socket.send_fds(channel, [struct.pack("!I", len(body))], opened)
                    channel.sendall(body)
                    for fd in (*asked[1], *opened):
                        os.close(fd)
            for end in guest.ended():
                os.write(events, json.dumps(end).encode() + b"\n")


if __name__ == "__main__":
    main()
