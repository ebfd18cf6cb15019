"""Known projects at a release before a fix: the script makes tests of the next release pass, and touches none."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.simulator.projects import Project, find, known
from app.simulator.projects.download import source_distribution, unpack
from tests.projects.workbench import Workbench, edited

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("spec", known())
def test_no_script_touches_a_test(spec: str) -> None:
    assert not [path for path in edited(find(spec)) if _is_test(Path(path)) or path.startswith(".github")]


@pytest.mark.registry
@pytest.mark.timeout(600)
@pytest.mark.parametrize("spec", known())
def test_the_demos_pull_request_makes_tests_of_the_next_release_pass(spec: str, tmp_path: Path) -> None:
    project, work = find(spec), tmp_path / "demo"
    demo = [sys.executable, "-m", "app", "demo", "--project", spec, "--work", str(work)]
    ran = subprocess.run(demo, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    (bare,) = (work / "github").glob("*.git")
    tests = _tests_of_next_release(project, tmp_path)

    bench = Workbench(tmp_path, work / "wheels")
    _check_out(bare, "main", bench.repo)
    installed = bench.run(bench.checks()["setup"])
    assert installed.returncode == 0, installed.stderr
    before = _outcomes(bench, project, tests)
    _check_out(bare, "backspace/*", bench.repo)
    after = _outcomes(bench, project, tests)

    assert before == dict.fromkeys(project.proves, False)
    assert after == dict.fromkeys(project.proves, True)
    assert not [path for path in _changed(bare) if _is_test(Path(path))]


def _check_out(bare: Path, pattern: str, folder: Path) -> None:
    """The files of the one branch that fits, in a folder of their own."""
    shutil.rmtree(folder, ignore_errors=True)
    branch = _git(bare, "branch", "--list", pattern, "--format=%(refname:short)").strip()
    subprocess.run(["git", "clone", "--quiet", f"--branch={branch}", str(bare), str(folder)], check=True)


def _changed(bare: Path) -> list[str]:
    branch = _git(bare, "branch", "--list", "backspace/*", "--format=%(refname:short)").strip()
    return _git(bare, "diff", "--name-only", "main", branch).splitlines()


def _git(bare: Path, *args: str) -> str:
    return subprocess.run(["git", "-C", str(bare), *args], check=True, capture_output=True, text=True).stdout


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
