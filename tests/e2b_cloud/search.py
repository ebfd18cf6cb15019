"""Whether a sandbox holds a secret: in its files, their names, git's objects and its processes, plain or in a form that gives it back."""

import base64
import html
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote


def forms(secret: str) -> dict[str, set[bytes]]:
    """What to look for, by the name of the form."""
    raw = secret.encode()
    return {
        "plain": {raw},
        "reversed": {raw[::-1], secret[::-1].encode()},
        "hex": {raw.hex().encode(), raw.hex().upper().encode()},
        "URL-encoded": {quote(secret, safe="").encode(), b"".join(b"%%%02X" % byte for byte in raw)} - {raw},
        "JSON-escaped": {json.dumps(secret)[1:-1].encode()} - {raw},
        "HTML-escaped": {html.escape(secret).encode(), html.escape(secret, quote=False).encode()} - {raw},
        "base64": {_base64(raw, before, letters) for before in range(3) for letters in (b"+/", b"-_")},
    }


def _base64(raw: bytes, before: int, letters: bytes) -> bytes:
    """The letters that are the same whatever stands before (as many bytes, but for multiples of 3) and after it."""
    encoded = base64.b64encode(bytes(before) + raw, letters)
    return encoded[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]


def given_away(secrets: Iterable[str], sandbox: dict[str, Any]) -> list[str]:
    """Where each is found, and in which form: one line each. `sandbox` is the stand-in's report of it."""
    return found(secrets, places(sandbox))


def found(secrets: Iterable[str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """The same of any places, by their names."""
    wanted = [(secret, name, form) for secret in secrets for name, all_ in forms(secret).items() for form in all_]
    lines = []
    for place, content in places:
        lines += [f"{secret[:12]}… {name} in {place}" for secret, name, form in wanted if form in content]
    return lines


def places(sandbox: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    yield "a process", "\n".join(_strings([p["argv"] + p["environ"] for p in sandbox["processes"]])).encode()
    yield "what it was made with", json.dumps([sandbox["metadata"], sandbox["envs"]], ensure_ascii=False).encode()
    disk = Path(sandbox["disk"])
    for folder, folders, files in os.walk(disk):
        where = Path(folder)
        if "objects" in folders and "HEAD" in files:
            yield f"git's objects in {where.relative_to(disk)}", objects(where)
        for path in (where / name for name in (*folders, *files)):
            yield "the name of a file", os.fsencode(path.name)
            if path.is_symlink():
                yield f"the link {path.relative_to(disk)}", os.fsencode(path.readlink())
            elif path.is_file():
                yield f"{path.relative_to(disk)}", path.read_bytes()


def _strings(lists: list[list[str]]) -> list[str]:
    return [text for texts in lists for text in texts]


def objects(repository: Path) -> bytes:
    """All that git keeps, also what no branch holds any more."""
    env = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": "/nonexistent",
        "GIT_WORK_TREE": str(repository),
    }
    command = ["git", "--git-dir", str(repository), "cat-file", "--batch", "--batch-all-objects", "--buffer"]
    listed = subprocess.run(command, env=env, capture_output=True, check=False)
    assert listed.returncode == 0, listed.stderr
    return listed.stdout
