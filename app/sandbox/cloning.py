"""How the repository comes into a sandbox: fetched there with a token for that one command, or as a pack (`bundle.py`), and sealed."""

import asyncio
from collections.abc import Sequence

from app.core.errors import Transient, UserError
from app.sandbox import git
from app.sandbox.base import Result, Sandbox

PAUSES = (2.0, 4.0, 8.0, 16.0, 30.0, 30.0)
"""Seconds between the attempts of a clone; each has a key of its own, so a repeated step finds them as they were."""
MAX = 1 << 30
"""Bytes of the pack, and of a file in the work tree. (`ulimit -f` counts in 512 bytes.)"""
NEVER_PUBLISHED = (
    "__pycache__/", "*.py[co]", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".hypothesis/", ".tox/", ".nox/", ".venv/", "*.egg-info/",
    "node_modules/", ".DS_Store", "*.swp",
)  # fmt: skip
"""Untracked paths that count as ignored although the repository forgot to say so: what set-up and checks leave behind."""

# The signal ignored, git says that the file is too large instead of dying without a word.
LIMITED = """
most=$1; shift
trap '' XFSZ; ulimit -f "$most"
"""
# What lies in the work tree stays, for a sandbox may begin with what set-up made in an earlier one; its `.git` is nobody's any more.
# One pack, whatever its size: the limit is one of files.
CLONE = """
unset GIT_DIR GIT_WORK_TREE
url=$1 branch=$2 what=$3 rules=$4
rm -rf .git
git init --quiet --template= --initial-branch="$branch"
git remote add -t "$branch" origin "$url"
git -c protocol.allow=never -c protocol.https.allow=always -c protocol.http.allow=always -c fetch.unpackLimit=1 fetch --quiet --depth=50 \\
    --no-tags --no-recurse-submodules origin "+$what:refs/remotes/origin/$branch" ${rules:+"$rules"}
git update-ref "refs/heads/$branch" "refs/remotes/origin/$branch"
"""
SEAL = """
base=$(git --git-dir=.git rev-parse --verify 'HEAD^{commit}')
rm -rf "$GIT_DIR"; mkdir -p "${GIT_DIR%/*}"
git init -q --template=
rm -rf "$GIT_DIR/objects"
cp -al .git/objects "$GIT_DIR/objects" 2>/dev/null || { rm -rf "$GIT_DIR/objects"; cp -R .git/objects "$GIT_DIR/objects"; }
[ ! -f .git/shallow ] || cp .git/shallow "$GIT_DIR/shallow"
mkdir -p "$GIT_DIR/info"; cat >"$GIT_DIR/info/exclude"
git update-ref refs/backspace/base "$base"
git read-tree --reset -u "$base"
git clean -ffdq
cp -p "$GIT_DIR/index" .git/index
export GIT_INDEX_FILE="$GIT_DIR/pristine"
git read-tree "$base"
git add --all -- . 2>/dev/null
git update-ref refs/backspace/pristine "$(git write-tree)"
echo "$base"
"""
TOO_LARGE = f"The repository is too large for the sandbox: its last commits, or one of its files, hold more than {MAX >> 20:,} MB."
GONE = "The repository can't be read: it is gone, or the App was not given access to it."


async def clone(
    sandbox: Sandbox,
    *,
    url: str,
    token: str,
    branch: str,
    seconds: float,
    sha: str | None = None,
    rules: str = "",
    most: int = MAX,
    pauses: Sequence[float] = PAUSES,
) -> str:
    """Bring the tip of `branch`, or `sha` as its tip, into the sandbox; its SHA. The token is in the environment of that one command and
    nowhere else. Ignored files that were there stay. `rules`: SHA of another commit that is to be had beside it. `most`: as MAX.

    Raises UserError where the repository or branch is not there for us, takes too long or is too large, or the network fails for long.
    """
    env = git.authorized(url, token)
    given = (str(most >> 9), url, branch, sha or f"refs/heads/{branch}", rules)
    for attempt, pause in enumerate((*pauses, None), 1):
        key = f"clone/{attempt}"
        result = await git.script(sandbox, LIMITED + CLONE, *given, key=key, seconds=seconds, env=env, network=True)
        if result.exit_code == 0:
            return await sealed(sandbox, key, most=most)
        failure = _why(result, branch, seconds)
        if isinstance(failure, UserError) or result.ended == "stopped":
            raise failure
        if pause is not None:
            await asyncio.sleep(pause)
    raise UserError(f"The repository could not be cloned: {failure} Ask again later.")


async def sealed(sandbox: Sandbox, key: str, *, most: int = MAX) -> str:
    """The commit that was brought into `.git`, checked out, with a git directory of our own above it; its SHA. `key`: of what brought it.

    Raises UserError where it is too large.
    """
    exclude = "".join(f"{line}\n" for line in NEVER_PUBLISHED).encode()
    result = git.in_time(await git.script(sandbox, LIMITED + SEAL, str(most >> 9), key=f"{key}/seal", stdin=exclude))
    if result.exit_code == 0:
        return result.stdout.head.decode().strip()
    if _has_no_room(result):
        raise UserError(TOO_LARGE)
    raise RuntimeError(f"git failed: {git.last_line(result)}")


def _why(result: Result, branch: str, seconds: float) -> UserError | Transient:
    """What a failed clone means, by what git said."""
    said = result.stderr.head.decode(errors="replace")
    if result.ended == "deadline":
        return UserError(
            f"The repository could not be cloned within {seconds:.0f} s: it is too large, or the network too slow."
        )
    if "find remote ref" in said:
        return UserError(f"The repository has no branch {branch!r}: name one that exists.")
    if "not our ref" in said:
        return UserError("The repository does not have the commit any more that the work stands on: ask again.")
    refused = ("not found", "Authentication failed", "could not read Username", "error: 403", "error: 401")
    if any(words in said for words in refused):
        return UserError(GONE)
    if "not allowed" in said:  # git's word on a transport: it will not change its mind
        return UserError(f"The repository can't be cloned from there: {git.last_line(result)}.")
    if _has_no_room(result):
        return UserError(TOO_LARGE)
    if result.ended != "exited":
        return Transient(f"git was {result.ended}.")
    return Transient(f"git says {git.last_line(result)!r}.")


def _has_no_room(result: Result) -> bool:
    said = result.stderr.head.decode(errors="replace")
    return any(words in said for words in ("File too large", "No space left", "unable to write file"))
