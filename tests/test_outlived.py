"""Compile caches go by themselves only when another version of what they were made for is installed instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.uses.installed import installed
from typed import Run


def environment(home: Path, name: str, python: str, *packages: str) -> Path:
    """A virtual environment with the metadata of packages."""
    base = home / name / ".venv"
    makers.write(base / "pyvenv.cfg", b"home = /usr/bin\nversion = 3\n")
    (base / "bin").mkdir()
    (base / "bin" / "python3").symlink_to("/usr/bin/env")
    for package in packages:
        makers.write(base / "lib" / f"python{python}" / "site-packages" / f"{package}.dist-info" / "METADATA")
    return base


@pytest.fixture
def caches(home: Path) -> Path:
    """Caches of two versions of FlashInfer and of two Pythons."""
    for name in (
        "flashinfer/0.6.1/ops",
        "flashinfer/0.7.2/ops",
        "torch_extensions/py310_cu121/x",
        "torch_extensions/py311_cpu/x",
    ):
        makers.write(home / ".cache" / name / "ops.so", b"o" * 5000)
    return home


def taken(run: Run) -> dict[str, str]:
    """What a plain clean would take, and why."""
    plan = json.loads(run("clean", "--dry-run", "--json").out)["plan"]
    return {step["artifact"]: step["proof"] for step in plan["steps"]}


def test_nothing_goes_where_nothing_else_is_installed(run: Run, caches: Path) -> None:
    assert taken(run) == {}
    environment(caches, "work", "3.11", "numpy-2.1.0")
    assert taken(run) == {}


def test_what_another_version_outlived_goes(run: Run, caches: Path) -> None:
    environment(caches, "work", "3.11", "flashinfer_python-0.7.2", "torch-2.13.0+cpu")
    assert taken(run) == {
        "flashinfer:0.6.1": "superseded: FlashInfer 0.6.1 is not installed any more; 0.7.2 is",
        "torch-extensions:py310_cu121": "superseded: no Python 3.10 has PyTorch any more; 3.11 has it",
    }
    environment(caches, "old", "3.10", "torch-2.5.0", "flashinfer_python-0.6.1")
    assert taken(run) == {}


def test_packages_of_the_user_and_the_system_count(home: Path, tmp_path: Path) -> None:
    makers.write(home / ".local/lib/python3.12/site-packages/Torch-2.9.dist-info/METADATA")
    makers.write(tmp_path / "usr/python3/dist-packages/flashinfer-0.5.egg-info/PKG-INFO")
    survey = api.survey({}, home, "linux", system=False)
    found = installed(survey.tree, survey.artifacts, [str(tmp_path / "usr"), str(tmp_path / "gone")])
    assert (found.versions, found.pythons["torch"]) == ({"torch": {"2.9"}, "flashinfer": {"0.5"}}, {"3.12"})
