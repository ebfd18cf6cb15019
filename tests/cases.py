"""`python -m tests.cases`: which test shows which case of data/attacks.json and data/faults.json; exit code 1 where one has none.

A test shows a case where its source names the case's id. What can't be tested here is named, with the reason, in docs/security.md or
docs/operations.md.
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
PAGES = ("security.md", "operations.md")
ID = re.compile(r"\b(?:RT|FL)-[A-Z][0-9]{2}\b")


def expected() -> dict[str, str]:
    """Each case's id and what is expected, in the order of the lists."""
    cases = (case for name in LISTS for case in json.loads((HERE / "data" / name).read_text()))
    return {case["id"]: case["expected"] for case in cases}


def shown() -> Iterator[tuple[str, str]]:
    """A case's id, and where it is shown: a test, or a line of a page."""
    for path in sorted(HERE.rglob("test_*.py")):
        source, where = path.read_text(), path.relative_to(REPOSITORY)
        functions = (
            node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        for test in (function for function in functions if function.name.startswith("test_")):
            first = min([test.lineno, *(decorator.lineno for decorator in test.decorator_list)])
            lines = source.splitlines()[first - 1 : test.end_lineno]
            yield from ((case, f"{where}::{test.name}") for case in set(ID.findall("\n".join(lines))))
    for page in PAGES:
        path = REPOSITORY / "docs" / page
        for number, line in enumerate(path.read_text().splitlines() if path.exists() else (), 1):
            yield from ((case, f"docs/{page}:{number}") for case in set(ID.findall(line)))


def main() -> int:
    places = defaultdict(list)
    for case, place in shown():
        places[case].append(place)
    cases = expected()
    for case in cases:
        print(case, *(places[case] or ["-"]), sep="\n  ")
    missing = [case for case in cases if not places[case]]
    unknown = sorted(places.keys() - cases.keys())
    print(f"\n{len(cases) - len(missing)} of {len(cases)} cases are shown.")
    for case in missing:
        print(f"missing: {case}: {cases[case]}")
    for case in unknown:
        print(f"unknown: {case}: {', '.join(places[case])}")
    return 1 if missing or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
