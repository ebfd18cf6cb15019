"""The project that ships with the demo: a real bug, really fixed."""

from pathlib import Path

import pytest

from app.simulator.projects import own
from app.simulator.projects.download import prepare
from tests.projects.workbench import Workbench

SHOP = "python3 -m larder shop recipes/pancakes.txt recipes/bread.txt"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path, tmp_path / "wheels")
    prepare(own(), wheels=bench.wheels, dest=bench.repo)
    bench.begin()
    return bench


def test_the_script_resolves_its_issue(bench: Workbench) -> None:
    test = bench.checks()["test"]
    assert bench.run(test).returncode == 0
    assert "250 g   flour\n1 kg    flour" in bench.run(SHOP).stdout

    bench.play(own())

    assert bench.run(test).returncode == 0
    assert "1¼ kg   flour" in bench.run(SHOP).stdout
    assert bench.changed() == [
        "README.md", "larder/quantity.py", "larder/shopping.py", "larder/units.py", "tests/test_shopping.py"
    ]  # fmt: skip


def test_the_test_it_adds_fails_without_the_fix(bench: Workbench) -> None:
    bench.play(own())
    bench.run("git checkout -q HEAD larder")
    done = bench.run(bench.checks()["test"])
    assert done.returncode == 1
    assert "FAIL: test_units_of_one_kind_are_added_in_the_larger_one" in done.stderr


def test_the_first_attempt_fails_and_the_second_passes(bench: Workbench) -> None:
    bench.play(own())
    first, second = (output for output in bench.outputs if "Ran " in output)
    assert "KeyError: 'pinch'" in first
    assert first.endswith("[exit 1]")
    assert second.endswith("[exit 0]")


def test_its_readme_shows_what_it_prints(bench: Workbench) -> None:
    printed = bench.run("python3 -m larder shop recipes/pancakes.txt --for 6").stdout
    assert printed in (bench.repo / "README.md").read_text()
