"""Everything that a project needs, fetched before the run by the ordinary pip of this interpreter."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from app.core.errors import UserError
from app.simulator.projects import Project

_SECONDS = 300
_GITIGNORE = "__pycache__/\n*.egg-info/\nbuild/\n"


def prepare(project: Project, *, wheels: Path, dest: Path) -> None:
    """Make `dest` the project's repository and `wheels` the folder that its set-up installs from; both may exist and be empty.

    A source distribution is described by its own build code, so pip runs that code here, as it does when it installs one.
    Raises UserError where the registry does not have it or can't be reached.
    """
    dest.mkdir(parents=True, exist_ok=True)
    wheels.mkdir(parents=True, exist_ok=True)
    if project.source:
        with TemporaryDirectory() as scratch:
            unpack(source_distribution(project.source, Path(scratch)), dest)
    if project.files:
        shutil.copytree(project.files, dest, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    if project.test_packages:
        _pip_download(wheels, "--only-binary", ":all:", *project.test_packages)


def source_distribution(requirement: str, into: Path) -> Path:
    """Download the source distribution of `NAME==VERSION [--hash=…]`. Raises UserError."""
    name = requirement.partition("==")[0]
    lines = into / "requirements.txt"
    lines.write_text(requirement + "\n")
    archives = into / "archives"
    _pip_download(archives, "--no-deps", "--no-binary", name, "--requirement", str(lines))
    return next(archives.iterdir())


def unpack(archive: Path, dest: Path) -> None:
    """The archive's one folder becomes `dest`: without what packing added, and with the ignored paths that packing leaves out.

    Raises UserError for another kind of archive, and for one that reaches outside its folder.
    """
    with TemporaryDirectory() as scratch:
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(scratch, filter="data")
            (top,) = Path(scratch).iterdir()
        except (tarfile.TarError, ValueError) as e:
            raise UserError(f"{archive.name} is no source distribution that can be unpacked: {e}") from None
        for packed in (top / "PKG-INFO", *top.glob("*.egg-info")):
            shutil.rmtree(packed) if packed.is_dir() else packed.unlink(missing_ok=True)
        if not (top / ".gitignore").exists():
            (top / ".gitignore").write_text(_GITIGNORE)
        shutil.copytree(top, dest, symlinks=True, dirs_exist_ok=True)


def _pip_download(into: Path, *options: str) -> None:
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
    argv = [*pip, "--dest", str(into), *options]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise UserError(f"The package registry took longer than {_SECONDS} s; try again.") from None
    if "No module named pip" in done.stderr:
        raise UserError("pip is missing in this environment; `python -m ensurepip` installs it.")
    if done.returncode and "Retrying (" in done.stderr:
        raise UserError("The package registry can't be reached; without a network, run the demo without --project.")
    if done.returncode:
        said = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        raise UserError(f"pip could not download it: {said[-1] if said else done.stderr.strip()[-300:]}")
