"""`python -m tests.mutants [NAME…]`: switch off each in a copy of the tree, and run the test that must notice.

`--sample N SEED` takes N of them, the same for the same seed: CI has no time for all each time, so it goes by the commit.

Exits non-zero where a mutant survives, and where an edit no longer fits the source.
"""

import ast
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.every import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]
SECONDS = 300
AT_ONCE = 3
OPTIONS = shlex.split("-x -q -n0 --no-header -p no:cacheprovider -p no:schemathesis -m '' -k 'not postgresql'")
"""Whatever its marker a test is run; what speaks SQL, on SQLite alone."""
NOTICED = ("FAILED ", "ERROR at teardown of ")
"""In what pytest says. An error before a test shows nothing."""


def survives(mutant: Mutant) -> str | None:
    """Why the mutant counts as a failure of ours, or None where a test noticed it."""
    text = (ROOT / mutant.file).read_text()
    if text.count(mutant.old) != 1:
        return f"{mutant.file} holds {mutant.old!r} {text.count(mutant.old)} times"
    mutated = text.replace(mutant.old, mutant.new)
    ast.parse(mutated)  # or every test would fail
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "tree"
        skip = shutil.ignore_patterns(".git", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis", ".venv")
        shutil.copytree(ROOT, copy, ignore=skip)
        (copy / mutant.file).write_text(mutated)
        command = [sys.executable, "-m", "pytest", *OPTIONS, *mutant.tests]
        env = os.environ | {"PYTHONPATH": str(copy)}
        try:
            run = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"no test had failed after {SECONDS} s"
    if run.returncode == 1 and any(seen in run.stdout for seen in NOTICED):
        return None
    said = "no test failed" if run.returncode == 0 else f"pytest ended with {run.returncode}"
    return f"{said}:\n{run.stdout[-800:]}"


def chosen_by(arguments: Sequence[str]) -> list[Mutant]:
    match arguments:
        case []:
            return list(MUTANTS)
        case ["--sample", number, seed]:
            return random.Random(seed).sample(MUTANTS, int(number))
    return [mutant for mutant in MUTANTS if mutant.name in arguments]


def main() -> int:
    chosen = chosen_by(sys.argv[1:])
    problems = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutant, problem in zip(chosen, pool.map(survives, chosen), strict=True):
            problems += problem is not None
            print(
                f"{'SURVIVED' if problem else 'killed'}  {mutant.name}{f': {problem}' if problem else ''}", flush=True
            )
    print(f"{len(chosen) - problems} of {len(chosen)} mutants were killed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
