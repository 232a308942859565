"""root over another user's home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import makers
import oracle

ANNA = 4711
OLD = 1_700_000_000


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A home of another user that everybody may reach, with a cache of pip."""
    assert os.getuid() == 0, "these tests make files of other users, which takes root"
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    home = folder / "anna"
    home.mkdir()
    makers.layouts()["pip"](home)
    for path in [home, *oracle.below(home)]:
        os.chown(path, ANNA, ANNA, follow_symlinks=False)
        os.utime(path, (OLD, OLD), follow_symlinks=False)
    yield home
    shutil.rmtree(folder)


def typed(home: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, which may give its rights away."""
    command = [sys.executable, "-m", "modelyard", "--home", str(home), *words]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)


def test_root_changes_nothing_in_another_home(home: Path, foreign: Path) -> None:
    before = sorted(oracle.below(foreign))
    for words in (["clean", "--yes"], ["purge", "--yes"], ["undo"], ["pin", "pip:wheels"]):
        answer = typed(foreign, *words)
        assert answer.returncode in (1, 4), answer
        assert "--as-user" in answer.stderr or "no artifact" in answer.stderr
    assert typed(foreign, "clean", "--yes").returncode == 4
    assert sorted(oracle.below(foreign)) == before


def test_root_becomes_the_owner_and_leaves_nothing_of_its_own(home: Path, foreign: Path) -> None:
    answer = typed(foreign, "--as-user", "clean", "--yes", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["receipt"]["done"] > 0
    assert {path.lstat().st_uid for path in oracle.below(foreign)} == {ANNA}
    assert typed(foreign, "undo", "--as-user").returncode == 0
    assert typed(foreign, "--as-user", "ls", "pip", "-q").stdout


def test_root_becomes_the_owner_without_any_framework(home: Path, foreign: Path) -> None:
    for name in ("keras", "lightning", "numpy", "onnx", "onnxruntime", "sklearn", "torch", "transformers"):
        (foreign.parent / f"{name}.py").write_text("raise ImportError('it is not installed')\n")
    answer = typed(foreign, "--as-user", "clean", "--yes", PYTHONPATH=str(foreign.parent))
    assert answer.returncode == 0, answer.stderr


def test_as_user_needs_a_home(home: Path) -> None:
    command = [sys.executable, "-m", "modelyard", "--as-user", "clean"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, "--as-user needs --home" in answer.stderr) == (2, True)
