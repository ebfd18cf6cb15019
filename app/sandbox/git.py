"""Git commands in a sandbox, on our own git directory: arguments as lists, nobody's configuration, always a deadline."""

import base64
from collections.abc import Mapping
from urllib.parse import urlsplit

from app.core.errors import UserError
from app.sandbox.base import Call, Result, Sandbox

SECONDS = 120.0
FLAGS = (
    "--literal-pathspecs", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.attributesFile=/dev/null",
    "-c", "core.excludesFile=/dev/null", "-c", "gc.auto=0",
)  # fmt: skip
AGAIN = 3


def authorized(url: str, token: str) -> dict[str, str]:
    """Variables for one git command: the token, for this origin alone, where no list of processes shows it."""
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{origin}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"Authorization: basic {basic}",
    }


async def run(
    sandbox: Sandbox, *args: str, key: str, stdin: bytes = b"", keep: int = 30_000, fails: bool = False
) -> Result:
    """One git command; with `fails` a non-zero exit is an answer. Raises UserError past the deadline, RuntimeError for other failures."""
    result = in_time(
        await _call(sandbox, ("git", *FLAGS, *args), key=key, stdin=stdin, keep=keep, env={}, seconds=SECONDS)
    )
    if result.exit_code != 0 and not fails:
        raise RuntimeError(f"git {args[0]} failed: {last_line(result)}")
    return result


async def script(
    sandbox: Sandbox,
    text: str,
    *args: str,
    key: str,
    stdin: bytes = b"",
    seconds: float = SECONDS,
    env: Mapping[str, str] | None = None,
    keep: int = 30_000,
    network: bool = False,
) -> Result:
    """A fixed shell script of ours over several git commands; what varies comes as arguments."""
    flags = " ".join(FLAGS)
    argv = ("sh", "-ec", f'git() {{ command git {flags} "$@"; }}\n{text}', "sh", *args)
    return await _call(sandbox, argv, key=key, stdin=stdin, seconds=seconds, env=env or {}, keep=keep, network=network)


async def printed(sandbox: Sandbox, text: str, *args: str, key: str, stdin: bytes = b"") -> str:
    """What a script prints, without the last line end. Raises UserError past the deadline, RuntimeError where it fails."""
    result = in_time(await script(sandbox, text, *args, key=key, stdin=stdin))
    if result.exit_code != 0:
        raise RuntimeError(f"git failed: {last_line(result)}")
    return result.stdout.head.decode().strip()


def in_time(result: Result) -> Result:
    """Raises UserError for a result that is none because the time was over."""
    if result.ended == "deadline":
        raise UserError(
            f"git needed more than {result.seconds:.0f} s in the repository: it holds too much for one change."
        )
    return result


def last_line(result: Result) -> str:
    """Whole, for what is cut the redactor does not know."""
    said = result.stderr.head.decode(errors="replace").strip().splitlines()
    return said[-1] if said else f"exit code {result.exit_code}"


async def _call(
    sandbox: Sandbox,
    argv: tuple[str, ...],
    *,
    key: str,
    stdin: bytes,
    seconds: float,
    env: Mapping[str, str],
    keep: int = 30_000,
    network: bool = False,
) -> Result:
    """All that we ask of git can be asked again, so a call whose end was lost is, under the next key."""
    own = {
        "GIT_DIR": f"{sandbox.home}/.backspace/git",
        "GIT_WORK_TREE": sandbox.repo,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
    for again in range(AGAIN):
        key_again = f"git/{key}.{again}"
        call = Call(key_again, argv, seconds, stdin=stdin, env=own | dict(env), keep=keep, network=network)
        result = await sandbox.run(call)
        if result.ended != "interrupted":
            break
    return result
