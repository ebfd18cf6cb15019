"""Every place where a secret of the server's could come to light, as bytes to be searched."""

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2b_cloud.search import objects
from tests.e2e.lab import Json, Repo, Server

Place = tuple[str, bytes]


def texts(value: Any) -> bytes:
    """Every string in a JSON value, keys too, as it is before JSON escapes it."""
    return "\n".join(_strings(value)).encode("utf-8", "surrogatepass")


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for inner in value:
                yield from _strings(inner)
        case dict():
            for key, inner in value.items():
                yield key
                yield from _strings(inner)


def on_github(repo: Repo) -> Iterator[Place]:
    """What people see there, what was sent to get it there, and the repository itself."""
    state = repo.state()
    for issue in state["issues"]:
        yield "comments", texts(issue["comments"])
    for pull in state["pulls"]:
        yield "pull requests", texts(pull)
    sent = [{"path": r["path"], "body": r["body"]} for r in repo.requests()]
    yield "requests to GitHub", texts(sent)
    yield "the repository", objects(repo.lab.home / "github" / f"{repo.id}.git")


def stream(text: str) -> bytes:
    """Events, as they came and as they are read."""
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    return text.encode() + b"\n" + texts(events)


def logs(server: Server) -> Iterator[Place]:
    """As they are read, and as they were written."""
    lines = [json.loads(line) for line in server.log.splitlines()]
    yield "exceptions", texts([line.pop("exception", "") for line in lines])
    yield "logs", texts(lines)
    yield "logs", server.log.encode()


def database(server: Server) -> Iterator[Place]:
    """The files, and every value: one that is longer than a page of the file lies in it in pieces."""
    for path in server.home.glob("backspace.db*"):
        yield "the database's files", path.read_bytes()
    connection = sqlite3.connect(f"file:{server.home / 'backspace.db'}?mode=ro", uri=True)
    yield "the database", b"\n".join(_values(connection))
    connection.close()


def _values(connection: sqlite3.Connection) -> Iterator[bytes]:
    tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    for table in tables:
        for row in connection.execute(f'select * from "{table}"'):
            for value in row:
                text = value if isinstance(value, bytes) else str(value).encode()
                yield text
                yield texts(_json(text))


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def local_sandbox(folder: Path) -> Json:
    """A report like the stand-in's: the processes whose command line names the folder, and all that they began."""
    processes = {int(path.name): path for path in Path("/proc").iterdir() if path.name.isdecimal()}
    parents = {pid: _parent(path) for pid, path in processes.items()}
    ours: set[int] = set()
    more = {pid for pid, path in processes.items() if os.fsencode(folder) in _read(path / "cmdline")}
    while more:  # a child's number may be the smaller one, where numbers began anew
        ours |= more
        more = {pid for pid, parent in parents.items() if parent in ours} - ours
    listed = [{name: _list(processes[pid] / name) for name in ("cmdline", "environ")} for pid in sorted(ours)]
    return {
        "disk": str(folder),
        "metadata": {},
        "envs": {},
        "processes": [{"argv": p["cmdline"], "environ": p["environ"]} for p in listed],
    }


def _parent(process: Path) -> int | None:
    status = _read(process / "status").decode().partition("PPid:")[2].split()
    return int(status[0]) if status else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def _list(path: Path) -> list[str]:
    return _read(path).decode("utf-8", "replace").split("\0")
