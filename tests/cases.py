"""`python -m tests.cases`: which test shows which case of data/attacks.json and data/faults.json; exit code 1 where one has none.

A test shows a case where its docstring names the case's id.
"""

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
LISTS = ("attacks.json", "faults.json")
ID = re.compile(r"\b(?:RT|FL)-[A-Z][0-9]{2}\b")


def expected() -> dict[str, str]:
    """Each case's id and what is expected, in the order of the lists."""
    cases = (case for name in LISTS for case in json.loads((HERE / "data" / name).read_text()))
    return {case["id"]: case["expected"] for case in cases}


def shown() -> dict[str, list[str]]:
    """Each case's id that a test names, and the tests."""
    places = defaultdict(list)
    for path in sorted(HERE.rglob("test_*.py")):
        for case, test in named_in(path.read_text()):
            places[case].append(f"{path.relative_to(REPOSITORY)}::{test}")
    return dict(places)


def named_in(source: str) -> Iterator[tuple[str, str]]:
    """A case's id and the test whose docstring names it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield from ((case, node.name) for case in sorted(set(ID.findall(ast.get_docstring(node) or ""))))


def main() -> int:
    cases, places = expected(), shown()
    for case in cases:
        print(case, *places.get(case, ["-"]), sep="\n  ")
    missing = [case for case in cases if case not in places]
    unknown = sorted(places.keys() - cases.keys())
    print(f"\n{len(cases) - len(missing)} of {len(cases)} cases are shown.")
    for case in missing:
        print(f"missing: {case}: {cases[case]}")
    for case in unknown:
        print(f"unknown: {case}: {', '.join(places[case])}")
    return 1 if missing or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
