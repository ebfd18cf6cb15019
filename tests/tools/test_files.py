"""Reading, editing, writing and searching files, as the model meets it."""

import fnmatch
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from app.core.events import ToolEdit, ToolRead, ToolSearch
from app.sandbox.cloning import NEVER_PUBLISHED
from app.tools.hands import draft_beside
from app.tools.tool import HANDS
from tests.tools.conftest import FILES, Bench


async def test_read_numbers_the_lines(bench: Bench) -> None:
    result = await bench.use("read", path="shop/tax.py")
    assert result.content == snapshot("""\
     1	RATE = 0.2
     2	
     3	
     4	def tax(x):
     5	    return x * RATE\
""")
    assert result.events == (ToolRead(filepath="shop/tax.py"),)


async def test_read_in_parts(bench: Bench) -> None:
    assert (await bench.use("read", path="shop/tax.py", offset=2, limit=2)).content == snapshot("""\
     2	
     3	
… shop/tax.py has 5 lines; go on with offset 4.\
""")
    assert await bench.fails("read", path="shop/tax.py", offset=9) == snapshot(
        "shop/tax.py has 5 lines; there is no line 9."
    )


async def test_read_of_much_is_capped(bench: Bench) -> None:
    (bench.repo / "long").write_text("".join(f"{n} {'x' * 5000}\n" for n in range(1000)))
    content = (await bench.use("read", path="long")).content
    assert len(content) < 62_000
    assert content.splitlines()[-1] == snapshot("… long has 1000 lines; go on with offset 30.")


async def test_read_a_directory_and_an_empty_file(bench: Bench) -> None:
    assert (await bench.use("read", path=".")).content == snapshot("""\
.git/
.gitignore
README.md
build/
dos.txt
empty
latin.txt
logo.png
shop/\
""")
    assert (await bench.use("read", path="empty")).content == snapshot("(the file is empty)")


async def test_read_what_is_no_utf8_or_ends_lines_with_crlf(bench: Bench) -> None:
    assert (await bench.use("read", path="latin.txt")).content == snapshot("""\
     1	caf\\xe9
     2	bar\
""")
    assert (await bench.use("read", path="dos.txt")).content == snapshot("""\
     1	one
     2	two
     3	three\
""")


async def test_what_can_not_be_read_says_why(bench: Bench) -> None:
    assert await bench.fails("read", path="logo.png") == snapshot(
        "logo.png is binary (7 bytes). This tool takes text only."
    )
    assert await bench.fails("read", path="shop/carts.py") == snapshot(
        "shop/carts.py does not exist. There is shop/cart.py."
    )
    assert await bench.fails("read", path="nowhere/x.py") == snapshot(
        "nowhere/x.py does not exist, nor does the directory it would be in."
    )
    assert await bench.fails("read", path="a\0b") == snapshot("A path can't hold a NUL character.")
    assert "does not exist" in await bench.fails("read", path="x" * 300)
    await bench.use("bash", command="mkfifo pipe; truncate -s 11M large")
    assert await bench.fails("read", path="pipe") == snapshot("pipe is not a regular file.")
    assert await bench.fails("read", path="large") == snapshot(
        "large has 11,534,336 bytes, more than this tool takes. Use bash to look at parts of it."
    )


@pytest.mark.parametrize("name", ["read", "write", "edit", "search"])
@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "out/x", "shop/../../x", "out", "/home/agent/repository/x"])
async def test_nothing_outside_the_repository_is_touched(bench: Bench, name: str, path: str) -> None:
    """RT-R03, RT-S10"""
    (bench.repo / "out").symlink_to("/home/agent")
    given = {"write": {"content": "x"}, "edit": {"old_str": "a", "new_str": "b"}, "search": {"pattern": "x"}}
    assert await bench.fails(name, path=path, **given.get(name, {})) == (
        f"{path} is outside the repository. Give a path inside it, relative to its root."
    )
    assert not (bench.repo.parent / "x").exists()


async def test_the_whole_output_of_a_command_can_be_read(bench: Bench) -> None:
    content = (await bench.use("bash", command="seq 20000")).content
    found = re.search(r"the whole is in (\S+)", content)
    assert found
    assert " 20000\t20000" in (await bench.use("read", path=found[1], offset=19_999)).content


async def test_edit_replaces_one_place(bench: Bench) -> None:
    result = await bench.use("edit", path="shop/cart.py", old_str="sum(items)", new_str="round(sum(items), 2)")
    assert result.content == snapshot("""\
Edited shop/cart.py:
     1	def total(items):
     2	    return round(sum(items), 2)
     3	
     4	
     5	def count(items):\
""")
    assert result.events == (ToolEdit(filepath="shop/cart.py", old_str="sum(items)", new_str="round(sum(items), 2)"),)
    assert "round(sum(items), 2)\n" in (bench.repo / "shop/cart.py").read_text()


async def test_edit_that_is_not_clear_changes_nothing_and_helps(bench: Bench) -> None:
    async def told(old: str, new: str = "x", path: str = "shop/cart.py") -> str:
        return await bench.fails("edit", path=path, old_str=old, new_str=new)

    assert await told("items") == snapshot(
        "old_str is 4 times in shop/cart.py, at lines 1, 2, 5, 6. Give more of the lines around the one you mean, or set replace_all."
    )
    assert await told("def total(items):\n  return sum(items)") == snapshot("""\
old_str is not in shop/cart.py. Its first line is there, but what follows or the white space differs:
     1	def total(items):
     2	    return sum(items)
     3	
     4	
     5	def count(items):\
""")
    assert await told("def totals(item):") == snapshot("""\
old_str is not in shop/cart.py. The closest there is:
     1	def total(items):
     2	    return sum(items)
     3	
     4	\
""")
    assert await told("nothing like it") == snapshot(
        "old_str is not in shop/cart.py. Read the file and copy the text exactly."
    )
    assert await told("") == snapshot(
        "old_str is empty. Use write for a new file, or give the text after which something is added."
    )
    assert await told("items", "items") == snapshot("old_str and new_str are the same: there is nothing to do.")
    assert await told("a", path="shop") == snapshot("shop is a directory.")
    assert await told("a", path="logo.png") == snapshot("logo.png is binary (7 bytes). This tool takes text only.")
    assert (bench.repo / "shop/cart.py").read_bytes() == FILES["shop/cart.py"]


async def test_edit_of_all_places(bench: Bench) -> None:
    await bench.use("edit", path="shop/cart.py", old_str="items", new_str="goods", replace_all=True)
    assert (bench.repo / "shop/cart.py").read_bytes() == FILES["shop/cart.py"].replace(b"items", b"goods")


async def test_edit_keeps_line_ends_encoding_and_mode(bench: Bench) -> None:
    (bench.repo / "latin.txt").chmod(0o755)
    await bench.use("edit", path="dos.txt", old_str="one\ntwo\n", new_str="1\n2\n")
    await bench.use("edit", path="latin.txt", old_str="bar", new_str="tür")
    assert (bench.repo / "dos.txt").read_bytes() == b"1\r\n2\r\nthree\r\n"
    assert (bench.repo / "latin.txt").read_bytes() == b"caf\xe9\nt\xc3\xbcr\n"
    assert (bench.repo / "latin.txt").stat().st_mode & 0o777 == 0o755


async def test_write_makes_and_replaces(bench: Bench) -> None:
    made = await bench.use("write", path="a/b/new.py", content="x = 'größer'\n")
    assert (made.content, made.events) == (
        "Created a/b/new.py, 1 line.",
        (ToolEdit(filepath="a/b/new.py", old_str="", new_str="x = 'größer'\n"),),
    )
    assert (bench.repo / "a/b/new.py").read_text() == "x = 'größer'\n"
    replaced = await bench.use("write", path="README.md", content="new")
    assert replaced.events == (ToolEdit(filepath="README.md", old_str="# Shop – größer\n", new_str="new"),)
    assert (await bench.use("write", path="logo.png", content="text")).events == (
        ToolEdit(filepath="logo.png", old_str="", new_str="text"),
    )
    assert await bench.fails("write", path="README.md/x", content="") == snapshot(
        "README.md/x can't be written: a part of its path is a file."
    )
    assert await bench.fails("write", path="shop", content="") == snapshot("shop is a directory.")
    assert list(bench.repo.rglob("*.swp")) == []


def test_no_half_of_a_file_is_left_where_there_is_no_room_for_it(tmp_path: Path) -> None:
    """FL-E06"""
    request = {"do": "write", "root": str(tmp_path), "path": "new", "content": "x" * 100_000}
    small = ["bash", "-c", 'ulimit -f 4; exec "$@"', "-", sys.executable, "-I", "-S", "-c", HANDS]
    done = subprocess.run(small, input=json.dumps(request), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"error": "new: File too large."}
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_leaves_behind_of_a_write_is_not_published() -> None:
    draft = os.path.basename(draft_beside("shop/cart.py"))
    assert any(fnmatch.fnmatch(draft, pattern) for pattern in NEVER_PUBLISHED)


async def test_a_file_with_the_longest_name_is_written(bench: Bench) -> None:
    await bench.use("write", path="n" * 255, content="x")
    assert (bench.repo / ("n" * 255)).read_text() == "x"


async def test_what_is_long_is_cut_in_the_event_alone(bench: Bench) -> None:
    result = await bench.use("write", path="long", content="x" * 100_000)
    assert isinstance(result.events[0], ToolEdit)
    assert len(result.events[0].new_str) <= 8_000
    assert (bench.repo / "long").stat().st_size == 100_000


async def test_search_finds_lines_in_what_git_does_not_ignore(bench: Bench) -> None:
    (bench.repo / "untracked.py").write_text("# RATE\r\n")
    result = await bench.use("search", pattern="RATE")
    assert result.content == snapshot("""\
shop/tax.py:1: RATE = 0.2
shop/tax.py:5: return x * RATE
untracked.py:1: # RATE\
""")
    assert result.events == (ToolSearch(pattern="RATE", output=result.content),)
    assert (
        await bench.use("search", pattern="rate", path="shop", ignore_case=True, glob="**/*.py")
    ).content == snapshot("""\
shop/tax.py:1: RATE = 0.2
shop/tax.py:5: return x * RATE\
""")
    assert (await bench.use("search", pattern="^RATE", path="shop/tax.py")).content == snapshot(
        "shop/tax.py:1: RATE = 0.2"
    )
    assert (await bench.use("search", pattern="RATE", glob="*.md")).content == snapshot("Nothing found in 1 files.")
    assert await bench.fails("search", pattern="(") == snapshot(
        "The pattern is not a Python regular expression: missing ), unterminated subpattern at position 0. Escape what is meant as it is."
    )
    assert await bench.fails("search", pattern="x", path="shops") == snapshot("shops does not exist. There is shop.")


async def test_search_follows_no_link(bench: Bench) -> None:
    """RT-R03"""
    await bench.use("bash", command="ln -s /etc/passwd inside; ln -s shop/cart.py other")
    assert (await bench.use("search", pattern="agent:x", path="inside")).is_error
    assert "agent:x" not in (await bench.use("search", pattern="agent:x")).content


async def test_search_with_many_matches_is_capped(bench: Bench) -> None:
    (bench.repo / "many").write_text("needle " * 400 + "\n" + "needle\n" * 5000)
    lines = (await bench.use("search", pattern="needle")).content.splitlines()
    assert len(lines) == 201
    assert len(lines[0]) < 320
    assert lines[-1] == snapshot("… there is more: narrow it down by path, glob or pattern.")


async def test_search_where_there_is_no_git(bench: Bench) -> None:
    await bench.use("bash", command="rm -rf .git")
    assert "shop/tax.py:1: RATE = 0.2" in (await bench.use("search", pattern="RATE =")).content


async def test_where_a_text_is_cut_an_ellipsis_says_so(bench: Bench) -> None:
    """There the redactor looks for the half of a secret."""
    (bench.repo / "long").write_text("x" * 9_000)
    assert "…" in (await bench.use("search", pattern="x", path="long")).content
    assert "…" in (await bench.use("edit", path="long", old_str="x" * 9_000, new_str="y" * 8_999)).content
    (event,) = (await bench.use("write", path="long", content="z")).events
    assert isinstance(event, ToolEdit)
    assert "…" in event.old_str[-5:]
