"""What the version of git says about the machine that commands run on. Pure."""

import re

FIRST_SAFE = {43: 7, 44: 4, 45: 4, 46: 4, 47: 3, 48: 2, 49: 1, 50: 1}
"""By minor version of git 2: the first patch without CVE-2025-48384, by which a submodule's path runs a hook of a stranger's. The advisory
is GHSA-vwqx-4fm8-6qc9 of git/git, of 8 July 2025."""


def remark(said: str) -> str:
    """For people, where `git --version` said something old; else ""."""
    found = re.search(r"git version (\d+)\.(\d+)(?:\.(\d+))?", said)
    if found is None:
        return ""
    major, minor, patch = (int(number or 0) for number in found.groups())
    if (major, minor) > (2, max(FIRST_SAFE)) or (major == 2 and patch >= FIRST_SAFE.get(minor, patch + 1)):
        return ""
    mended = f"2.{min(FIRST_SAFE)}.{FIRST_SAFE[min(FIRST_SAFE)]} and 2.{max(FIRST_SAFE)}.{FIRST_SAFE[max(FIRST_SAFE)]}"
    number = found[0].removeprefix("git version ")
    return f"Its git {number} is older than {mended}, which mend CVE-2025-48384: update it, unless your distribution has mended its own."
