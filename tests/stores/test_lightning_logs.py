"""Lightning's logs, apart from the checkpoints among them."""

from __future__ import annotations

from pathlib import Path

import makers
from modelyard import api

EVENTS = "events.out.tfevents.1767225600.host.1.0"


def version(folder: Path, *names: str) -> Path:
    """A version with these logs."""
    for name in ("hparams.yaml", *names):
        makers.write(folder / name, b"x" * 3000)
    return folder


def make(home: Path) -> None:
    """Versions of a run, one that stopped before it logged anything."""
    version(home / "work" / "lightning_logs" / "version_0", "metrics.csv")
    version(home / "work" / "lightning_logs" / "version_1", EVENTS, "test/nothing.txt")
    version(home / "work" / "lightning_logs" / "version_2")


def test_versions_by_what_they_logged(home: Path) -> None:
    make(home)
    found = {name.rpartition("/")[2]: each for name, each in makers.artifacts(home).items()}
    assert {name: (each.state, each.detail) for name, each in found.items()} == {
        "version_0": ("complete", ""),
        "version_1": ("complete", ""),
        "version_2": ("partial", "nothing was logged"),
    }
    assert found["version_0"].facts == (("metrics", "metrics.csv"),)
    assert found["version_1"].facts == (("TensorBoard event files", "1"),)


def test_checkpoints_are_counted_once_and_each_store_frees_its_own(home: Path) -> None:
    """Were they rows of both stores, neither removing the run nor the checkpoint would free them."""
    folder = version(home / "lightning_logs" / "version_0", "metrics.csv")
    makers.torch_zip(folder / "checkpoints" / "epoch=0-step=10.ckpt", makers.LIGHTNING_PICKLE)
    seen = api.survey({}, home, "linux", system=False)
    found = {each.store: each for each in seen.artifacts}
    run, checkpoint = found["lightning"], found["checkpoint"]
    assert run.sizes.freed == run.sizes.allocated == 8192
    assert checkpoint.sizes.freed == checkpoint.sizes.allocated >= 8192
    assert run.sizes.freed + checkpoint.sizes.freed == seen.totals.freed == seen.totals.allocated
    assert run.detail == "its checkpoints are listed by themselves"


def test_a_project_with_parameters_of_its_own_is_never_taken_for_a_version(home: Path) -> None:
    """Removing that run would remove the project."""
    project = version(home / "speech", "metrics.csv", "train.py", "data/audio.wav")
    found = makers.artifacts(home)
    assert set(found) == {"lightning:speech"}
    names = {Path(each).name for each in ("hparams.yaml", "metrics.csv")}
    seen = api.survey({}, home, "linux", system=False)
    assert {Path(seen.tree.path(row).decode()).name for row in seen.artifacts[0].rows} == names
    assert (project / "train.py").exists()


def test_a_version_of_another_program_is_not_one(home: Path) -> None:
    makers.write(home / "site" / "version_1" / "index.html", b"x" * 3000)
    makers.write(home / "config" / "hparams.yaml", "lr: 1\n")
    assert not makers.artifacts(home)


def test_logs_that_a_tracker_holds_are_its_own(home: Path) -> None:
    run = home / "wandb" / "run-20260101_000000-aa"
    makers.write(run / "run-aa.wandb", b"r" * 3000)
    version(run / "files" / "lightning_logs" / "version_0", "metrics.csv")
    assert {each.store for each in makers.artifacts(home).values()} == {"wandb"}
