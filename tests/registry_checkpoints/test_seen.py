"""The checkpoints that the library saved, as `ls` and `clean` see them: step, best and last."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from modelyard import api
from modelyard.registry.checkpoints import Checkpoints
from typed import Run


def run_of(folder: Path, losses: dict[int, float | None], mode: str = "min") -> Checkpoints:
    """A run with a checkpoint a step, all of them kept."""
    kept = Checkpoints(folder, keep_last=None, mode=mode)  # type: ignore[arg-type]
    model = torch.nn.Linear(4, 4)
    for step, loss in losses.items():
        kept.save(step, model=model, metrics=None if loss is None else {"loss": loss})
        for path in sorted(kept.folder.rglob("*"), reverse=True) if step == max(losses) else ():
            os.utime(path, (1_700_000_000,) * 2)  # a run that was just written to is left alone
    return kept


def test_step_best_and_last_are_seen(home: Path) -> None:
    run_of(home / "runs" / "a", {100: 0.5, 200: 0.1, 300: 0.1, 400: float("nan"), 500: None})
    found = {each.id: each for each in api.survey({}, home, "linux", system=False).artifacts}
    told = {name: (each.revision, each.tags, each.state, each.detail) for name, each in found.items()}
    assert told == {
        "checkpoint:runs/a/step-00000100": ("100", (), "complete", "modelyard, step 100"),
        "checkpoint:runs/a/step-00000200": ("200", (), "complete", "modelyard, step 200"),
        "checkpoint:runs/a/step-00000300": ("300", ("best",), "complete", "modelyard, step 300"),
        "checkpoint:runs/a/step-00000400": ("400", (), "complete", "modelyard, step 400"),
        "checkpoint:runs/a/step-00000500": ("500", ("last",), "complete", "modelyard, step 500"),
    }
    assert {each.recovery for each in found.values()} == {"none"}, "nothing of it goes unasked"


def test_clean_keeps_the_best_and_the_last_when_it_is_asked_to(home: Path, run: Run) -> None:
    kept = run_of(home / "runs" / "a", {100: 0.5, 200: 0.9, 300: 0.1, 400: 0.2}, mode="max")
    answer = run("clean", "checkpoint", "--keep-best", "1", "--keep-last", "1", "--dry-run", "--json")
    steps = json.loads(answer.out)["plan"]["steps"]
    assert sorted({each["artifact"].rpartition("/")[2] for each in steps}) == ["step-00000100", "step-00000300"]
    assert run("clean", "checkpoint", "--keep-best", "1", "--keep-last", "1", "--yes").code == 0
    assert [each.step for each in kept.saved()] == [200, 400]
    assert (
        kept.resume(model=torch.nn.Linear(4, 4)) == 400 and kept.resume(model=torch.nn.Linear(4, 4), best=True) == 200
    )


def test_a_run_whose_state_is_damaged_is_kept_whole(home: Path, run: Run) -> None:
    kept = run_of(home / "runs" / "a", {100: 0.5, 200: 0.9})
    state = kept.folder / "step-00000100" / "state.json"
    state.chmod(0o644)
    state.write_text("{")
    answer = run("clean", "checkpoint", "--keep-best", "1", "--keep-last", "1", "--dry-run", "--json")
    assert not json.loads(answer.out)["plan"]["steps"]


def test_a_folder_of_that_name_alone_is_no_checkpoint(home: Path) -> None:
    (home / "runs" / "step-00000100").mkdir(parents=True)
    (home / "runs" / "step-00000100" / "state.json").write_text("{}")
    assert not api.survey({}, home, "linux", system=False).artifacts
