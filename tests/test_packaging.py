"""`pip install .`: the wheel it builds, the command it gives, and what it says where there is no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The project as a clone would have it."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(HERE / name, folder / name)
    leave_out = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
    shutil.copytree(HERE / "src", folder / "src", ignore=leave_out)
    return folder


def build(source: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Builds a wheel beside the source."""
    command = [sys.executable, "-m", "pip", "wheel", "-v", "--no-deps", "--no-build-isolation", "-w", "wheels", "."]
    return subprocess.run(command, cwd=source, env=os.environ | env, capture_output=True, text=True, check=False)


def test_one_wheel_serves_every_later_python_and_gives_the_command(source: Path, tmp_path: Path) -> None:
    done = build(source)
    assert done.returncode == 0, done.stderr
    (wheel,) = (source / "wheels").iterdir()
    assert "-cp311-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "modelyard/walk/_walker.abi3.so" in names
    assert "modelyard/py.typed" in names
    assert "modelyard/safety/policy/core.json" in names
    venv.create(tmp_path / "fresh", with_pip=False)
    python = tmp_path / "fresh" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", str(wheel)]
    subprocess.run(install, check=True)
    answer = subprocess.run([python.with_name("modelyard"), "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("modelyard, version ")


def test_without_a_compiler_the_error_says_what_to_install(source: Path, tmp_path: Path) -> None:
    done = build(source, CC=str(tmp_path / "no-such-compiler"))
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "Install a C compiler and the Python headers" in said
    assert "apt-get install gcc python3-dev" in said
    assert "xcode-select --install" in said
