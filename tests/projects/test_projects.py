"""What the command line says about projects, and what may come out of an archive."""

import io
import tarfile
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from app.core.errors import UserError
from app.simulator.projects import Project, find, known, registry, unscripted
from app.simulator.projects.download import prepare, unpack


def test_two_projects_of_the_registry_are_known() -> None:
    assert known() == snapshot(["pyflakes==3.3.1", "sqlparse==0.5.1"])


def test_names_are_compared_as_the_registry_does() -> None:
    found = registry("PyFlakes", "3.3.1")
    assert found
    assert found.name == "pyflakes"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            "flask==3.0.0",
            snapshot(
                "There is no script for flask==3.0.0; there is one for pyflakes==3.3.1 and sqlparse==0.5.1. "
                "For any other project set ANTHROPIC_API_KEY and give --prompt."
            ),
        ),
        ("flask", snapshot("--project takes NAME==VERSION, such as pyflakes==3.3.1; it got 'flask'.")),
        (
            "--help==1",
            snapshot("--project takes NAME==VERSION, such as pyflakes==3.3.1; it got '--help==1'."),
        ),
    ],
)
def test_it_says_what_to_give_instead(spec: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        find(spec)
    assert str(error.value) == said


def test_a_real_model_works_on_any_project() -> None:
    project = unscripted("iniconfig==2.0.0", "Keep comments\nwhen a file is written back.")
    assert (project.comment, project.issue_title, project.turns) == (
        "/backspace Keep comments\nwhen a file is written back.",
        "Keep comments",
        (),
    )


def test_a_version_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    project = unscripted("no-such-project==1.0", "Anything")
    with pytest.raises(
        UserError, match=r"pip could not download it: No matching distribution found for no-such-project==1\.0"
    ):
        prepare(project, wheels=tmp_path / "wheels", dest=tmp_path / "repo")


def test_a_registry_that_cannot_be_reached_is_said(
    unused_tcp_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{unused_tcp_port}/")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(UserError, match="registry can't be reached"):
        prepare(find("pyflakes==3.3.1"), wheels=tmp_path / "wheels", dest=tmp_path / "repo")


def test_an_archive_becomes_a_repository_without_what_packing_added(tmp_path: Path) -> None:
    archive = _archive(tmp_path, {"p-1/p.py": b"", "p-1/PKG-INFO": b"", "p-1/p.egg-info/SOURCES.txt": b""})
    unpack(archive, tmp_path / "repo")
    assert sorted(path.name for path in (tmp_path / "repo").rglob("*")) == [".gitignore", "p.py"]
    assert "__pycache__/" in (tmp_path / "repo/.gitignore").read_text()


def test_the_ignored_paths_of_the_project_stay(tmp_path: Path) -> None:
    unpack(_archive(tmp_path, {"p-1/.gitignore": b"*.log\n"}), tmp_path / "repo")
    assert (tmp_path / "repo/.gitignore").read_text() == "*.log\n"


@pytest.mark.parametrize("name", ["../outside", "/outside", "p-1/../../outside"])
def test_an_archive_that_reaches_outside_is_refused(name: str, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(UserError, match="no source distribution that can be unpacked"):
        unpack(_archive(tmp_path, {"p-1/p.py": b"", name: b""}), inner / "repo")
    assert not list(tmp_path.rglob("outside"))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "p-1.tar.gz"
    archive.write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match=r"p-1\.tar\.gz is no source distribution"):
        unpack(archive, tmp_path / "repo")


def test_our_files_are_laid_over_the_project(tmp_path: Path) -> None:
    pyflakes = find("pyflakes==3.3.1")
    overlay = Project(**{**pyflakes.model_dump(), "source": None, "test_packages": ()})
    prepare(overlay, wheels=tmp_path / "wheels", dest=tmp_path / "repo")
    assert "unittest" in (tmp_path / "repo/.github/backspace.yml").read_text()


def _archive(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "p-1.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
