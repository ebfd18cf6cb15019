"""Keeps one command: starts it, copies its output to files, ends it, and writes down how it ended.

A process of its own, in its own session, so that the command and its result outlive the server. Standard library only; it imports
nothing of ours. The request is one line of JSON followed by the command's stdin, all on our stdin: the command's environment may hold a
token, and so it never gets onto a disk or a command line. Whoever holds the lock decides whether the call starts; `call.json` says
that it did; `result.json` is the last thing written.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from typing import Any

TAIL = 256 * 1024
"""Bytes of a stream's end that are kept where the stream is longer than its file may be."""
ROOM = 2 * TAIL + 8192
"""Bytes of disk that are kept back while the command runs, so that its end can be written down also where it filled the disk."""
GIVE_UP = 10.0
"""Seconds after which a process that even SIGKILL does not end is left alone."""
TICK = 0.1
"""Seconds between two looks for a request to stop."""
LIMITS = (
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 2 << 30),
    (resource.RLIMIT_NOFILE, 8192),
    (resource.RLIMIT_NPROC, 4096),
    # Not RLIMIT_AS: Node, Go and the JVM reserve far more addresses than they use.
    (resource.RLIMIT_DATA, 8 << 30),
)
PR_SET_CHILD_SUBREAPER = 36


class Copy:
    """One stream of the command, on its way into a file: whole up to `cap` bytes, then only counted, its end kept."""

    def __init__(self, source: int, path: str, cap: int) -> None:
        os.set_blocking(source, False)
        self.source = source
        self.path = path
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self.cap = cap
        self.size = 0
        self.end = b""

    def more(self) -> bool:
        """Take what is there. False: nothing is there (the end, or not now)."""
        try:
            chunk = os.read(self.source, 1 << 20)
        except BlockingIOError:
            return False
        room = max(0, self.cap - self.size)
        try:
            written = os.write(self.file, chunk[:room]) if room else 0
        except OSError:  # the disk is full: the rest is counted, as beyond the cap
            written, self.cap = 0, self.size
        if written < len(chunk):
            self.cap = min(self.cap, self.size + written)
            self.end = (self.end + chunk)[-TAIL:]
        self.size += len(chunk)
        return bool(chunk)

    def finish(self, tail_path: str) -> dict[str, int]:
        while self.more():
            pass
        os.fsync(self.file)
        if self.end:
            durably(tail_path, self.end)
        return {"size": self.size, "kept": min(self.size, self.cap)}


class Family:
    """The command and everything it started. As subreaper we inherit what it leaves behind, so nothing gets out of sight."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process  # kept, or its end would collect the exit status before we do
        self.leader = process.pid
        self.status: int | None = None

    def reap(self) -> bool:
        """Collect who has ended. True: nobody is left."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return False
                if pid == self.leader:
                    self.status = os.waitstatus_to_exitcode(status)
        return True

    def end(self) -> None:
        """SIGKILL for all, again and again, until nobody is left."""
        until = time.monotonic() + GIVE_UP
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.leader, signal.SIGKILL)
        while not self.reap() and time.monotonic() < until:
            for pid in descendants(os.getpid()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)


def descendants(ancestor: int) -> list[int]:
    """Every process below `ancestor`, where there is a /proc to read it from."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{int(name)}/stat", "rb") as stat:
            children.setdefault(int(stat.read().rpartition(b")")[2].split()[1]), []).append(int(name))
    found = list(children.get(ancestor, ()))
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def durably(path: str, data: bytes) -> None:
    """The file is there whole, or not at all, also after a power cut."""
    with open(path + ".new", "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def keep_room() -> None:
    """As much as there is, where there is less."""
    for halved in range(6):
        with contextlib.suppress(OSError), open("room", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, ROOM >> halved)
            return


def free_room() -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink("room")


def limit() -> None:
    for kind, most in LIMITS:
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (value, value))


def watch(request: dict[str, Any], family: Family, copies: list[Copy], wake: int) -> str:
    """Copy until the command has exited, its time is over, or somebody says stop; which of them."""
    deadline = time.monotonic() + request["seconds"]
    with selectors.DefaultSelector() as selector:
        selector.register(wake, selectors.EVENT_READ)
        for copy in copies:
            selector.register(copy.source, selectors.EVENT_READ, copy)
        while True:
            family.reap()
            if family.status is not None:
                return "exited"
            if (left := deadline - time.monotonic()) <= 0:
                return "deadline"
            if os.path.exists("stop") or os.path.exists(request["gone"]):
                return "stopped"
            for key, _ in selector.select(min(TICK, left)):
                if key.data is None:
                    os.read(wake, 4096)
                elif not key.data.more():
                    selector.unregister(key.fileobj)


def spawn(request: dict[str, Any], stdin: bytes) -> "subprocess.Popen[bytes]":
    """Raises OSError, or ValueError for what can't be an argument at all."""
    source = os.open("stdin", os.O_RDWR | os.O_CREAT, 0o600)
    os.unlink("stdin")
    with open(source, "r+b") as file:
        file.write(stdin)
        file.seek(0)
        return subprocess.Popen(
            request["argv"], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=request["env"],
            cwd=request["cwd"], start_new_session=True, preexec_fn=limit,
        )  # fmt: skip


def keep(request: dict[str, Any], stdin: bytes) -> dict[str, Any]:
    wake, ring = os.pipe()
    os.set_blocking(ring, False)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.monotonic()
    keep_room()
    try:
        process = spawn(request, stdin)
    except (OSError, ValueError) as error:
        free_room()
        return not_started(request, error)
    assert process.stdout
    assert process.stderr
    family = Family(process)
    sources = {"stdout": process.stdout.fileno(), "stderr": process.stderr.fileno()}
    copies = [Copy(source, request[stream], request["cap"]) for stream, source in sources.items()]
    ended = watch(request, family, copies, wake)
    family.end()
    free_room()
    status = family.status if ended == "exited" else None
    return {
        "ended": ended,
        "exit_code": status if status is None or status >= 0 else 128 - status,
        "stdout": copies[0].finish("stdout.tail"),
        "stderr": copies[1].finish("stderr.tail"),
        "seconds": time.monotonic() - began,
    }


def not_started(request: dict[str, Any], error: OSError | ValueError) -> dict[str, Any]:
    """What a shell would say: 127 for a command that is not there, 126 for one that can't be run."""
    reason = error.strerror if isinstance(error, OSError) else error
    said = f"{request['name']}: {reason}\n".encode(errors="replace")
    for path, text in ((request["stdout"], b""), (request["stderr"], said)):
        with open(path, "wb") as file:
            file.write(text)
    return {
        "ended": "exited",
        "exit_code": 127 if isinstance(error, FileNotFoundError) else 126,
        "stdout": {"size": 0, "kept": 0},
        "stderr": {"size": len(said), "kept": len(said)},
        "seconds": 0.0,
    }


def main() -> None:
    request: dict[str, Any] = json.loads(sys.stdin.buffer.readline() or b"null")
    stdin = sys.stdin.buffer.read()
    if request is None or len(stdin) != request["stdin"]:
        return  # whoever asked died while asking: nothing was started
    os.umask(0o022)
    for folder in (request["folder"], os.path.dirname(request["stdout"])):
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
    os.chdir(request["folder"])
    lock = os.open("lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    if os.path.exists("call.json") or os.path.exists(request["gone"]):
        return
    durably("call.json", json.dumps({"argv": request["command"], "at": time.time()}).encode())
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # closing stdout tells the one who asked that the call has begun
        os.dup2(null, stream)
    durably("result.json", json.dumps(keep(request, stdin)).encode())


if __name__ == "__main__":
    main()
