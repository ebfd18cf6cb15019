"""Files, by E2B's own SDK."""

from collections.abc import AsyncIterator

import pytest
from e2b import AsyncSandbox, FileNotFoundException, FileType, InvalidArgumentException

BYTES = bytes(range(256)) * 4000


async def test_what_is_written_is_read_and_seen_by_commands(sandbox: AsyncSandbox) -> None:
    written = await sandbox.files.write("deep/er/file.bin", BYTES)
    assert (written.path, written.name, written.type) == ("/home/user/deep/er/file.bin", "file.bin", FileType.FILE)
    assert await sandbox.files.read("~/deep/er/file.bin", format="bytes") == BYTES
    assert (await sandbox.commands.run("wc -c < deep/er/file.bin", timeout=0)).stdout == f"{len(BYTES)}\n"
    await sandbox.commands.run("echo shorter > deep/er/file.bin", timeout=0)
    assert await sandbox.files.read("/home/user/deep/er/file.bin") == "shorter\n"


async def test_uploads_as_a_stream_compressed_and_many_at_once(sandbox: AsyncSandbox) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield BYTES

    await sandbox.files.write("stream", chunks())
    assert (await sandbox.files.get_info("stream")).size == 10 * len(BYTES)
    await sandbox.files.write("packed", BYTES, gzip=True)
    assert await sandbox.files.read("packed", format="bytes") == BYTES
    names = ["/tmp/absolute path", "relative", 'quo"ted ü']
    written = await sandbox.files.write_files([{"path": name, "data": name} for name in names])
    assert [w.path for w in written][:2] == ["/tmp/absolute path", "/home/user/relative"]
    assert [await sandbox.files.read(w.path) for w in written] == names
    stream = await sandbox.files.read("stream", format="stream")
    assert sum([len(chunk) async for chunk in stream]) == 10 * len(BYTES)


async def test_what_is_not_there_and_what_is_no_file(sandbox: AsyncSandbox) -> None:
    with pytest.raises(FileNotFoundException, match="path '/home/user/none' does not exist"):
        await sandbox.files.read("none")
    with pytest.raises(InvalidArgumentException, match="path '/home/user' is a directory"):
        await sandbox.files.read("/home/user")
    with pytest.raises(InvalidArgumentException, match="path is a directory: /tmp"):
        await sandbox.files.write("/tmp", "")
    with pytest.raises(FileNotFoundException):
        await sandbox.files.list("none")
    assert not await sandbox.files.exists("none")
    await sandbox.files.remove("none")


async def test_folders_are_made_listed_moved_and_removed(sandbox: AsyncSandbox) -> None:
    assert await sandbox.files.make_dir("a/b")
    assert not await sandbox.files.make_dir("a/b")
    await sandbox.files.write("a/b/c", "12345")
    await sandbox.commands.run("ln -s b a/link; chmod 750 a/b/c", timeout=0)
    listed = {e.path: e for e in await sandbox.files.list("a", depth=2)}
    assert list(listed) == ["/home/user/a/b", "/home/user/a/b/c", "/home/user/a/link"]
    file = listed["/home/user/a/b/c"]
    assert (file.type, file.size, file.mode, file.permissions) == (FileType.FILE, 5, 0o750, "-rwxr-x---")
    assert listed["/home/user/a/link"].symlink_target == "/home/user/a/b"
    assert len(await sandbox.files.list("a")) == 2
    moved = await sandbox.files.rename("a", "new/place")
    assert moved.path == "/home/user/new/place"
    assert await sandbox.files.read("new/place/link/c") == "12345"
    await sandbox.files.remove("new")
    assert await sandbox.files.list("") == []


async def test_a_link_leads_nowhere_but_into_the_sandbox(sandbox: AsyncSandbox) -> None:
    await sandbox.commands.run("ln -s /etc/hostname-of-nobody out; ln -s /proc/1/root/home/user back", timeout=0)
    with pytest.raises(FileNotFoundException):
        await sandbox.files.read("out")
    users = await sandbox.files.read("/etc/passwd")
    assert [line.partition(":")[0] for line in users.splitlines()] == ["root", "user"]
