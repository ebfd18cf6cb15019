"""GitHub's own program, where this machine has it: it may be let do what our token's API calls are not."""

import asyncio
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from urllib.parse import urlsplit

log = logging.getLogger(__name__)
SECONDS = 60.0
_PULL = re.compile(r"^(https?://\S+/pull/(\d+))$", re.MULTILINE)


async def create_pull(arguments: Sequence[str], body: str, *, server_url: str, token: str) -> tuple[str, int] | None:
    """Address and number of the pull request that `gh` opened; None where there is no such program, or it did not."""
    program = shutil.which("gh")
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="backspace-gh-") as home:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, cwd=home, env=_environment(home, server_url, token),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS):
                said, why = await process.communicate(body.encode())
        except TimeoutError:
            process.kill()
            said, why = await process.communicate()
    found = _PULL.search(said.decode(errors="replace"))
    if process.returncode != 0 or found is None:
        log.warning("gh opened no pull request: %s", why.decode(errors="replace").strip())
        return None
    return found[1], int(found[2])


def _environment(home: str, server_url: str, token: str) -> dict[str, str]:
    """Nothing of the server's own but the path; the token is where `gh` looks first, on github.com and elsewhere."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "GH_CONFIG_DIR": home,
        "GH_HOST": urlsplit(server_url).netloc,
        "GH_TOKEN": token,
        "GH_ENTERPRISE_TOKEN": token,
        "GH_PROMPT_DISABLED": "1",
        "NO_COLOR": "1",
    }
