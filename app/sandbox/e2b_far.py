"""The far end of a call in E2B: runs inside the sandbox, hands the call to a keeper or finds the one that has it, tells how it stands.

`python3 -I -S -c <this text>`, with everything it needs in its environment: nothing of ours lies in the sandbox before. Standard
library of Python 3.9 or later only. What is asked is `BACKSPACE_ASK`; the reply is the last line on stdout: base64 of a compressed
line of JSON, followed by the heads and tails of both streams. The environment of a call is in the environment of this process and of
the keeper's pipe, never on the disk.
"""

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from typing import Any, Optional

TAIL = 256 * 1024
SPARE = 1 << 20
"""Bytes of disk kept back, and freed when it is too full to start a command: it may be the one that makes room."""
STREAMS = ("stdout", "stderr")
Json = dict[str, Any]


def held(lock: str) -> bool:
    """Somebody holds the lock: the keeper lives."""
    try:
        with open(lock) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def result(folder: str) -> Optional[Json]:  # noqa: UP045
    try:
        with open(f"{folder}/result.json", "rb") as file:
            found: Json = json.load(file)
            return found
    except FileNotFoundError:
        return None


def follow(ask: Json, folder: str, output: str) -> tuple[Json, list[bytes]]:
    """Start the call if it is new and its frame came along; wait for its end, `patience` seconds at most."""
    until, pause, begun = time.monotonic() + ask["patience"], 0.002, "frame" not in ask
    while True:
        found = result(folder)
        if found is None and not held(f"{folder}/lock"):
            found = result(folder)
            if found is None and (begun or os.path.exists(f"{folder}/call.json")):
                found = {"ended": "interrupted", "exit_code": None, "seconds": 0.0}
            elif found is None:
                said = start(ask, folder, output)
                if "No space left" in said and spent(ask["root"]):
                    said = start(ask, folder, output)
                if said:
                    return {"state": "failed", "said": said}, []
                begun = True
        if found is not None:
            return over(found, folder, output, ask["keep"])
        if time.monotonic() > until:
            return {"state": "running"}, []
        time.sleep(pause)
        pause = min(0.05, pause * 1.3)


def start(ask: Json, folder: str, output: str) -> str:
    """Have a keeper start the call, unless another one just did. What went wrong, or ""."""
    line, _, stdin = frame(ask["frame"]).partition(b"\n")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("BACKSPACE_")}
    request = {
        **json.loads(line),
        "folder": folder,
        "stdout": f"{output}/stdout",
        "stderr": f"{output}/stderr",
        "gone": f"{ask['root']}/gone",
        "env": {**ours, **ask["env"]},
        "stdin": len(stdin),
    }
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", os.environ["BACKSPACE_KEEPER"]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, env={}, cwd="/",
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(json.dumps(request).encode() + b"\n" + stdin)
    return process.stdout.read().decode(errors="replace").strip()[-2000:]


def settle(root: str) -> None:
    """The records of another sandbox, which this one was made from, go; some of the disk is kept back."""
    parent, own = os.path.split(root)
    if not os.path.isdir(f"{root}/calls"):
        for other in os.listdir(parent) if os.path.isdir(parent) else ():
            if other != own:
                shutil.rmtree(f"{parent}/{other}", ignore_errors=True)
        os.makedirs(f"{root}/calls", exist_ok=True)
    if not os.path.exists(f"{root}/spare"):
        try:
            with open(f"{root}/spare", "wb") as file:
                os.posix_fallocate(file.fileno(), 0, SPARE)
        except OSError:
            spent(root)


def spent(root: str) -> bool:
    """What was kept back is free now; False where nothing was."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{root}/spare")
        return True
    return False


def frame(where: Json) -> bytes:
    """The request's line and the call's stdin: along with what is asked where it is short, else in a file that is taken away."""
    if "inline" in where:
        return base64.b64decode(where["inline"])
    with open(where["path"], "rb") as file:
        os.unlink(where["path"])
        return file.read()


def over(found: Json, folder: str, output: str, keep: int) -> tuple[Json, list[bytes]]:
    parts = []
    for stream in STREAMS:
        path = f"{output}/{stream}"
        there = os.path.getsize(path) if os.path.exists(path) else 0
        known = found.get(stream, {"size": there})
        parts += ends(path, f"{folder}/{stream}.tail", known["size"], known.get("kept", known["size"]), keep)
        found[stream] = known["size"]
    return {"state": "over", "lengths": [len(part) for part in parts], **found}, parts


def ends(path: str, beyond: str, size: int, kept: int, keep: int) -> list[bytes]:
    """Head and tail of one stream; `beyond` has its end where the file has not."""
    head = read(path, 0, size if size <= keep else keep // 2)
    if len(head) == size:
        return [head, b""]
    rest = keep - len(head)
    return [head, read(beyond, 0, TAIL)[-rest:] if kept < size else read(path, size - rest, rest)]


def read(path: str, start: int, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, start))
            return file.read(max(0, size))
    except FileNotFoundError:
        return b""


def stop(ask: Json, folder: str) -> tuple[Json, list[bytes]]:
    """Ask the call's keeper to end it; back when it is over, or `patience` is."""
    until = time.monotonic() + ask["patience"]
    if held(f"{folder}/lock"):
        with open(f"{folder}/stop", "w"):
            pass
    while held(f"{folder}/lock") and time.monotonic() < until:
        time.sleep(0.02)
    return {"state": "stopped"}, []


def main() -> None:
    ask = json.loads(os.environ["BACKSPACE_ASK"])
    folder, output = f"{ask['root']}/calls/{ask['name']}", f"{ask['root']}/output/{ask['name']}"
    try:
        settle(ask["root"])
        for needed in (f"{ask['root']}/output", ask["repo"]):
            os.makedirs(needed, exist_ok=True)
        reply, parts = stop(ask, folder) if ask["do"] == "stop" else follow(ask, folder, output)
    except OSError as error:  # the disk is full, above all
        reply, parts = {"state": "failed", "said": str(error)}, []
    packed = zlib.compress(json.dumps(reply).encode() + b"\n" + b"".join(parts), 1)
    sys.stdout.write("\n" + base64.b64encode(packed).decode() + "\n")


if __name__ == "__main__":
    main()
