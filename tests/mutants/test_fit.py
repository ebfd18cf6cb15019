"""That each mutant still fits the source and names tests that there are. Whether the tests fail is `python -m tests.mutants`."""

import ast
from collections import Counter
from functools import cache
from pathlib import Path

from tests.mutants.every import MUTANTS

ROOT = Path(__file__).parents[2]


@cache
def functions_of(path: str) -> frozenset[str]:
    functions = ast.walk(ast.parse((ROOT / path).read_text()))
    return frozenset(f.name for f in functions if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef))


def exists(argument: str) -> bool:
    path, _, function = argument.partition("::")
    return (ROOT / path).exists() and (not function or function.partition("[")[0] in functions_of(path))


def test_each_edit_fits_its_file_in_one_place() -> None:
    texts = {mutant.file: (ROOT / mutant.file).read_text() for mutant in MUTANTS}
    places = {mutant.name: texts[mutant.file].count(mutant.old) for mutant in MUTANTS}
    assert {name: count for name, count in places.items() if count != 1} == {}
    assert [mutant.name for mutant in MUTANTS if mutant.old == mutant.new] == []


def test_each_test_that_is_named_is_there() -> None:
    assert [(mutant.name, test) for mutant in MUTANTS for test in mutant.tests if not exists(test)] == []


def test_each_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(mutant.name for mutant in MUTANTS).items() if count > 1] == []
