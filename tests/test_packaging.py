"""What is imported and installed is this project's, and the locks are fit to be published."""

import importlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["agents", "models"])
def test_packages_are_ours(name: str) -> None:
    # Other distributions install an `agents` too.
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / name / "__init__.py"


@pytest.mark.parametrize("name", ["base", "all"])
def test_locks_name_every_dependency_with_a_hash_and_no_host(name: str) -> None:
    text = (ROOT / "locks" / f"{name}.txt").read_text()
    assert "://" not in text
    locked = dict(re.findall(r"^([a-z0-9.-]+)==(.*\\\n(?: +--hash=\S+(?: \\)?\n)*)", text, flags=re.MULTILINE))
    assert all("--hash=sha256:" in entry for entry in locked.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    if name == "all":
        wanted += [entry for extra in project["optional-dependencies"].values() for entry in extra]
    names = {re.split(r"[^A-Za-z0-9-]", entry, maxsplit=1)[0].lower() for entry in wanted}
    assert names <= set(locked)


def test_the_wheel_holds_every_package_and_data_file(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for package in ("agents", "models"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("profilestream-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "profilestream = agents.cli:main" in archive.read(metadata).decode()
    files = {
        str(path.relative_to(source))
        for package in ("agents", "models")
        for path in (source / package).rglob("*")
        if path.is_file()
    }
    assert packed == files
