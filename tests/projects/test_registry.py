"""Known projects at a release before a fix: the script makes tests of the next release pass, and touches none."""

import shutil
from pathlib import Path

import pytest

from app.simulator.projects import Project, find, known
from app.simulator.projects.download import prepare, source_distribution, unpack
from tests.projects.workbench import Workbench, edited


@pytest.mark.parametrize("spec", known())
def test_no_script_touches_a_test(spec: str) -> None:
    assert not [path for path in edited(find(spec)) if _is_test(Path(path)) or path.startswith(".github")]


@pytest.mark.registry
@pytest.mark.timeout(600)
@pytest.mark.parametrize("spec", known())
def test_the_script_makes_tests_of_the_next_release_pass(spec: str, tmp_path: Path) -> None:
    project = find(spec)
    bench = Workbench(tmp_path, tmp_path / "wheels")
    prepare(project, wheels=bench.wheels, dest=bench.repo)
    bench.begin()
    checks = bench.checks()
    installed = bench.run(checks["setup"])
    assert installed.returncode == 0, installed.stderr
    assert bench.run(checks["test"]).returncode == 0
    tests = _tests_of_next_release(project, tmp_path)

    before = _outcomes(bench, project, tests)
    bench.play(project)
    assert bench.run(checks["test"]).returncode == 0
    changed = bench.changed()
    after = _outcomes(bench, project, tests)

    assert before == dict.fromkeys(project.proves, False)
    assert after == dict.fromkeys(project.proves, True)
    assert set(changed) == set(edited(project)), "set-up and tests leave nothing behind"


def _tests_of_next_release(project: Project, tmp_path: Path) -> Path:
    scratch, following = tmp_path / "scratch", tmp_path / "next"
    for folder in (scratch, following):
        folder.mkdir()
    unpack(source_distribution(f"{project.name}=={project.next_version}", scratch), following)
    return following


def _outcomes(bench: Workbench, project: Project, following: Path) -> dict[str, bool]:
    """Which of the proving tests pass on the checkout with the next release's tests in place of its own."""
    with_tests = Workbench(bench.home / "judged", bench.wheels)
    shutil.rmtree(with_tests.home, ignore_errors=True)
    shutil.copytree(bench.repo, with_tests.repo)
    for path in filter(_is_test, (p.relative_to(following) for p in following.rglob("*"))):
        if (following / path).is_file():
            (with_tests.repo / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(following / path, with_tests.repo / path)
    python = bench.home / "venv/bin/python"
    return {
        test: with_tests.run(f"{python} -m {'pytest' if '::' in test else 'unittest'} -q {test}").returncode == 0
        for test in project.proves
    }


def _is_test(path: Path) -> bool:
    return bool({"test", "tests"} & set(path.parts))
