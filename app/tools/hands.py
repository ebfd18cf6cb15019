"""The file tools' hands. Runs inside the sandbox as `python3 -I -S -c <this text>`: a JSON request on stdin, a JSON reply on stdout.

Standard library only, of any Python from 3.8 on. Paths are those of the repository; what leads out of it is refused, except that the
whole outputs of commands may be read.
"""

import contextlib
import difflib
import fnmatch
import json
import os
import re
import subprocess
import sys
from typing import Any, Dict, Iterator, List, Tuple  # noqa: UP035

Json = Dict[str, Any]  # noqa: UP006

MAX_FILE = 10 << 20
MAX_LINE = 2_000
MAX_READ = 60_000
MAX_LISTED = 500
MAX_OLD = 8_000
MAX_SEARCHED = 2 << 20
MAX_MATCHES = 200
MAX_FOUND = 30_000
MAX_SHOWN_OF_MATCH = 300


class Refused(Exception):
    """The message is for the model, and says what to do."""


def resolve(request: Json, reading: bool = False) -> str:
    """The real path of what is asked for. Raises Refused where it leads out of the repository."""
    if "\0" in request["path"]:
        raise Refused("A path can't hold a NUL character.")
    root = os.path.realpath(request["root"])
    path: str = os.path.realpath(os.path.join(root, request["path"]))
    outputs = os.environ.get("BACKSPACE_OUTPUT")
    allowed = [root, os.path.realpath(outputs)] if reading and outputs else [root]
    if not any(path == top or path.startswith(top + os.sep) for top in allowed):
        raise Refused(f"{request['path']} is outside the repository. Give a path inside it, relative to its root.")
    return path


def content(path: str, name: str) -> str:
    """The file's text; bytes that are no UTF-8 become surrogate escapes and go back unchanged. Raises Refused."""
    if os.path.isdir(path):
        raise Refused(f"{name} is a directory.")
    if not os.path.exists(path):
        raise Refused(missing(path, name))
    if not os.path.isfile(path):
        raise Refused(f"{name} is not a regular file.")
    size = os.path.getsize(path)
    if size > MAX_FILE:
        raise Refused(f"{name} has {size:,} bytes, more than this tool takes. Use bash to look at parts of it.")
    with open(path, "rb") as file:
        data = file.read()
    if b"\0" in data[:8192]:
        raise Refused(f"{name} is binary ({size:,} bytes). This tool takes text only.")
    return data.decode("utf-8", "surrogateescape")


def missing(path: str, name: str) -> str:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        return f"{name} does not exist, nor does the directory it would be in."
    near = difflib.get_close_matches(os.path.basename(path), os.listdir(folder)[:5000], 3, 0.6)
    hint = f" There is {', '.join(os.path.join(os.path.dirname(name), n) for n in near)}." if near else ""
    return f"{name} does not exist.{hint}"


def store(path: str, text: str) -> None:
    """Whole or not at all; the file keeps its mode."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = draft_beside(path)
    try:
        with open(draft, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        if os.path.exists(path):
            os.chmod(draft, os.stat(path).st_mode & 0o7777)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def draft_beside(path: str) -> str:
    """Its ending is one that is never published, for a kill leaves it behind; it is no longer where the file's name is long."""
    return os.path.join(os.path.dirname(path), f".backspace-{os.getpid()}.swp")


def read(request: Json) -> Json:
    path, name = resolve(request, reading=True), request["path"]
    if os.path.isdir(path):
        return {"content": listing(path)}
    lines = content(path, name).split("\n")
    if lines[-1] == "":
        lines.pop()
    first = max(1, request["offset"])
    if first > max(1, len(lines)):
        raise Refused(f"{name} has {len(lines)} lines; there is no line {first}.")
    shown: List[str] = []  # noqa: UP006
    room = MAX_READ
    for number in range(first, min(len(lines), first + request["limit"] - 1) + 1):
        line = lines[number - 1].rstrip("\r")
        text = f"{number:6}\t{cut(line, MAX_LINE)}"
        room -= len(text)
        if room < 0:
            break
        shown.append(text)
    last = first + len(shown) - 1
    if not lines:
        shown.append("(the file is empty)")
    elif last < len(lines):
        shown.append(f"… {name} has {len(lines)} lines; go on with offset {last + 1}.")
    return {"content": "\n".join(shown)}


def cut(text: str, limit: int) -> str:
    """The ellipsis is where the server looks for the half of a secret."""
    return text if len(text) <= limit else text[:limit] + "…"


def listing(path: str) -> str:
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in os.scandir(path))
    more = [f"… and {len(names) - MAX_LISTED} more."] if len(names) > MAX_LISTED else []
    return "\n".join(names[:MAX_LISTED] + more) or "(the directory is empty)"


def write(request: Json) -> Json:
    path, name = resolve(request), request["path"]
    if os.path.isdir(path):
        raise Refused(f"{name} is a directory.")
    there = os.path.exists(path)
    try:
        old = cut(content(path, name), MAX_OLD) if there else ""
    except Refused:  # binary or huge: it may be replaced, not shown
        old = ""
    try:
        store(path, request["content"])
    except (FileExistsError, NotADirectoryError):
        raise Refused(f"{name} can't be written: a part of its path is a file.") from None
    lines = len(request["content"].splitlines())
    return {
        "content": f"{'Replaced' if there else 'Created'} {name}, {lines} line{'' if lines == 1 else 's'}.",
        "old": old,
    }


def edit(request: Json) -> Json:
    path, name = resolve(request), request["path"]
    text, old, new = content(path, name), request["old_str"], request["new_str"]
    count = text.count(old)
    if not count and "\r\n" in text:  # the file ends its lines with CRLF, the model does not see that
        old, new = (re.sub("\r?\n", "\r\n", part) for part in (old, new))
        count = text.count(old)
    if not count:
        raise Refused(f"old_str is not in {name}. {near(text, old)}")
    if count > 1 and not request["replace_all"]:
        lines = ", ".join(str(1 + text.count("\n", 0, at)) for at in places(text, old))
        raise Refused(
            f"old_str is {count} times in {name}, at lines {lines}. Give more of the lines around the one you mean, or set replace_all."
        )
    at = text.index(old)
    store(path, text.replace(old, new))
    times = f", {count} times" if count > 1 else ""
    return {"content": f"Edited {name}{times}:\n{around(text.replace(old, new), at, new)}"}


def places(text: str, part: str) -> Iterator[int]:
    at = -1
    for _ in range(10):
        at = text.find(part, at + 1)
        if at < 0:
            return
        yield at


def around(text: str, at: int, new: str) -> str:
    """The lines of the change with three on each side, numbered."""
    first = text.count("\n", 0, at)
    last = first + new.count("\n")
    lines = text.split("\n")
    chosen = range(max(0, first - 3), min(len(lines), min(last, first + 60) + 4))
    return "\n".join(f"{n + 1:6}\t{cut(lines[n].rstrip(chr(13)), MAX_LINE)}" for n in chosen)


def near(text: str, old: str) -> str:
    """What in the file looks most like `old`, for a second try."""
    wanted = next((line.strip() for line in old.splitlines() if line.strip()), "")
    lines = [line.strip() for line in text.split("\n")[:20_000]]
    if wanted in lines:
        line = lines.index(wanted)
        said = "Its first line is there, but what follows or the white space differs"
    else:
        found = difflib.get_close_matches(wanted[:300], [line[:300] for line in lines[:5_000] if line], 1, 0.7)
        if not found:
            return "Read the file and copy the text exactly."
        line = next(n for n, candidate in enumerate(lines) if candidate[:300] == found[0])
        said = "The closest there is"
    start = sum(len(part) + 1 for part in text.split("\n")[:line])
    return f"{said}:\n{around(text, start, chr(10) * min(old.count(chr(10)), 20))}"


def search(request: Json) -> Json:
    top, name = resolve(request), request["path"]
    if not os.path.exists(top):
        raise Refused(missing(top, name))
    try:
        pattern = re.compile(request["pattern"], re.MULTILINE | (re.IGNORECASE if request["ignore_case"] else 0))
    except re.error as error:
        raise Refused(
            f"The pattern is not a Python regular expression: {error}. Escape what is meant as it is."
        ) from None
    found: List[str] = []  # noqa: UP006
    room, files = MAX_FOUND, 0
    for path in candidates(os.path.realpath(request["root"]), top, request["glob"]):
        files += 1
        for line, text in matches(path, pattern):
            entry = f"{os.path.relpath(path, os.path.realpath(request['root']))}:{line}: {cut(text.strip(), MAX_SHOWN_OF_MATCH)}"
            room -= len(entry)
            if room < 0 or len(found) >= MAX_MATCHES:
                return {"content": "\n".join([*found, "… there is more: narrow it down by path, glob or pattern."])}
            found.append(entry)
    return {"content": "\n".join(found) or f"Nothing found in {files} files."}


def matches(path: str, pattern: "re.Pattern[str]") -> Iterator[Tuple[int, str]]:  # noqa: UP006
    """Each line in which a match begins, once."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_SEARCHED)
    except OSError:
        return
    if b"\0" in data[:8192]:
        return
    text = data.decode("utf-8", "surrogateescape")
    line, at, before = 1, 0, 0
    for match in pattern.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        if line != before:
            start = text.rfind("\n", 0, at) + 1
            end = text.find("\n", at)
            yield line, text[start : end if end >= 0 else len(text)]
        before = line


def candidates(root: str, top: str, glob: str) -> Iterator[str]:
    """The files at or below `top` that git does not ignore and the glob takes, in order; never through a link that leads out."""
    git = [
        "git",
        "--literal-pathspecs",
        "-c",
        "core.fsmonitor=false",
        "ls-files",
        "-z",
        "-co",
        "--exclude-standard",
        "--",
        top,
    ]
    listed = subprocess.run(git, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if listed.returncode == 0:
        names = {os.path.join(root, os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name}
    else:
        names = {os.path.join(folder, name) for folder, _, all in os.walk(top) for name in all} or {top}
    globs = {glob, glob.replace("**/", "")} if glob else set()
    for path in sorted(names):
        relative = os.path.relpath(path, root)
        wanted = not globs or any(
            fnmatch.fnmatch(relative, g) or fnmatch.fnmatch(os.path.basename(path), g) for g in globs
        )
        if wanted and os.path.isfile(path) and not os.path.islink(path):
            yield path


def main() -> None:
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    request = json.load(sys.stdin)
    try:
        reply = {"read": read, "write": write, "edit": edit, "search": search}[request["do"]](request)
    except Refused as refused:
        reply = {"error": str(refused)}
    except OSError as error:
        reply = {"error": f"{request['path']}: {error.strerror}."}
    json.dump(reply, sys.stdout)


if __name__ == "__main__":
    main()
