"""What Lightning 2.6 and tensorboardX 2.6 leave: logs apart from checkpoints, each byte counted once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from real import disk
from real.surveys import by_id, paths, survey

PROGRAM = Path(__file__).parent / "programs" / "tracked.py"


@pytest.fixture(scope="module")
def tracked(runners: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the program left, made once; never changed."""
    folder = tmp_path_factory.mktemp("tracked")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(runners), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(PROGRAM), str(folder / "work")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "work"


@pytest.fixture
def work(tracked: Path, home: Path) -> Path:
    """A copy in the home of the test."""
    shutil.copytree(tracked, home / "work", symlinks=True)
    return home / "work"


def test_every_version_of_every_logger(work: Path, home: Path) -> None:
    found = {name.removeprefix("lightning:work/"): each for name, each in by_id(survey(home), "lightning").items()}
    assert {name: each.state for name, each in found.items()} == {
        "lightning_logs/version_0": "complete",
        "lightning_logs/version_1": "complete",
        "boards/version_0": "complete",
        "named/final": "complete",
    }
    assert found["boards/version_0"].facts == (("TensorBoard event files", "1"),)
    assert set(by_id(survey(home), "tensorboard")) == {"tensorboard:work/runs/mine"}


def test_runs_and_checkpoints_free_their_own_and_nothing_of_each_other(work: Path, home: Path) -> None:
    seen = survey(home)
    runs, checkpoints = by_id(seen, "lightning"), by_id(seen, "checkpoint")
    assert len(checkpoints) == 4
    for each in (*runs.values(), *checkpoints.values()):
        assert each.sizes.freed == each.sizes.allocated > 0
    everything = seen.freed([*runs, *checkpoints]).freed
    assert everything == sum(each.sizes.freed for each in (*runs.values(), *checkpoints.values()))


def test_removing_a_run_leaves_its_checkpoints(work: Path, home: Path) -> None:
    seen = survey(home)
    run = by_id(seen, "lightning")["lightning:work/lightning_logs/version_0"]
    before = disk.allocated(work)
    for path in paths(seen, run.rows):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert before - disk.allocated(work) == run.sizes.freed
    assert len(list((work / "lightning_logs" / "version_0" / "checkpoints").glob("*.ckpt"))) == 2
    assert len(by_id(survey(home), "checkpoint")) == 4
