"""What goes wrong with disks, files and numbers: nothing that was saved is lost, and what is wrong is told."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from modelyard.apply.disk import Disk
from modelyard.registry.checkpoints import CheckpointError, Checkpoints, DamagedError
from registry_checkpoints.runs import begin, train
from walk.disks import mounted


def model(value: float = 0.0, size: int = 4) -> torch.nn.Linear:
    """A model whose weights are all the same number."""
    made = torch.nn.Linear(size, size)
    torch.nn.init.constant_(made.weight, value)
    return made


def save(kept: Checkpoints, *steps: int, **metrics: float) -> None:
    """Saves a model whose weights are the step."""
    for step in steps:
        kept.save(step, model=model(step), metrics=metrics or None)


def resumed(kept: Checkpoints, **choice: int | bool) -> tuple[int, float]:
    """The step that is resumed, and the weights that came."""
    made = model(-1)
    return kept.resume(model=made, **choice), float(made.weight[0, 0].detach())  # type: ignore[arg-type]


def steps(kept: Checkpoints) -> list[int]:
    """The steps that are there."""
    return [each.step for each in kept.saved()]


def test_nothing_to_resume_is_step_zero_and_leaves_all_as_it_is(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "none")
    assert resumed(kept) == (0, -1) and kept.load() is None and not (tmp_path / "none").exists()


@pytest.mark.parametrize("behind", [False, True], ids=["at once", "behind"])
def test_a_full_disk_leaves_the_one_before_and_no_leftovers(tmp_path: Path, behind: bool) -> None:
    with mounted("tmpfs", tmp_path / "small", "-t", "tmpfs", "-o", "size=3M") as place:
        kept = Checkpoints(place / "run", async_save=behind)
        save(kept, 1)
        with pytest.raises(OSError, match="No space left"):
            kept.save(2, model=model(2, 1000))
            kept.wait()
        assert steps(kept) == [1] and resumed(kept) == (1, 1)
        assert [each.name for each in (place / "run").iterdir()] == ["step-00000001"]
        save(kept, 3)
        kept.close()
        assert steps(kept) == [1, 3]


def test_a_read_only_disk_is_told_and_still_resumes(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs") as place:
        kept = Checkpoints(place / "run")
        save(kept, 1)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        with pytest.raises(OSError, match="Read-only"):
            save(kept, 2)
        assert resumed(kept) == (1, 1)


def _tear(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 7)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["model.safetensors", "state.json", "SHA256SUMS"])
@pytest.mark.parametrize("damage", [_tear, _flip, Path.unlink, lambda path: os.truncate(path, 0)])
def test_a_torn_newest_is_told_and_the_one_before_is_taken(tmp_path: Path, name: str, damage: object) -> None:
    kept = Checkpoints(tmp_path)
    save(kept, 1, 2)
    path = tmp_path / "step-00000002" / name
    path.chmod(0o644)
    damage(path)  # type: ignore[operator]
    with pytest.warns(RuntimeWarning, match="passed over a damaged checkpoint: .*step-00000002"):
        assert resumed(kept) == (1, 1)
    with pytest.raises(DamagedError):
        resumed(kept, step=2)
    save(kept, 2)
    assert resumed(kept) == (2, 2)


def test_when_every_one_is_damaged_training_does_not_silently_begin_again(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    save(kept, 1)
    _flip_in(tmp_path / "step-00000001" / "model.safetensors")
    with pytest.warns(RuntimeWarning), pytest.raises(CheckpointError, match="none of the 1 checkpoints"):
        resumed(kept)


def _flip_in(path: Path) -> None:
    path.chmod(0o644)
    _flip(path)


def test_a_damaged_one_is_neither_counted_nor_removed(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, keep_last=2, keep_best=0)
    save(kept, 1, 2)
    path = tmp_path / "step-00000002" / "model.safetensors"
    path.chmod(0o644)
    _tear(path)
    save(kept, 3, 4)
    assert steps(kept) == [2, 3, 4]
    assert [bool(each.trouble) for each in kept.saved()] == [True, False, False]


def test_a_newer_schema_is_refused_and_stays(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, keep_last=1)
    save(kept, 1, 2)
    path = tmp_path / "step-00000002" / "state.json"
    path.chmod(0o644)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))
    with pytest.raises(CheckpointError, match="newer modelyard"):
        resumed(kept)
    with pytest.warns(UserWarning, match="below step 2"):
        save(kept, 1)
    save(kept, 3)
    assert steps(kept) == [2, 3]


def test_the_best_is_never_nan_nor_infinite_and_ties_go_to_the_later(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, keep_last=1, keep_best=2)
    for step, loss in enumerate((math.nan, 0.5, 0.2, math.nan, 0.2, -math.inf, 0.9, math.inf), 1):
        save(kept, step, loss=loss)
    assert steps(kept) == [3, 5, 8]
    assert resumed(kept, best=True) == (5, 5)
    assert math.isinf(kept.saved()[-1].metrics["loss"])


def test_the_best_of_what_should_be_high(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, keep_last=1, keep_best=1, metric="f1", mode="max")
    for step, value in enumerate((0.3, 0.9, 0.5), 1):
        save(kept, step, f1=value)
    assert steps(kept) == [2, 3] and resumed(kept, best=True) == (2, 2)


def test_a_missing_metric_is_told_and_is_never_the_best(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, keep_last=1)
    with pytest.warns(UserWarning, match="metrics have no 'loss'"):
        save(kept, 1, accuracy=0.5)
    save(kept, 2)
    assert steps(kept) == [2]
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* has a finite 'loss'"):
        resumed(kept, best=True)
    with pytest.raises(CheckpointError, match="is no number"):
        kept.save(3, model=model(), metrics={"loss": "low"})


def test_a_damaged_best_is_told_and_the_next_best_is_taken(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for step, loss in ((1, 0.1), (2, 0.3), (3, 0.2)):
        save(kept, step, loss=loss)
    _flip_in(tmp_path / "step-00000001" / "model.safetensors")
    with pytest.warns(RuntimeWarning, match="step-00000001"):
        assert resumed(kept, best=True) == (3, 3)


def test_what_is_pinned_or_of_others_stays_and_is_not_replaced(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, keep_last=1, keep_best=0)
    save(kept, 1)
    (tmp_path / "step-00000001" / ".modelyard-keep").touch()
    (tmp_path / "step-00000002").mkdir()
    (tmp_path / "step-00000002" / "mine.txt").write_text("precious")
    (tmp_path / "notes").write_text("precious")
    save(kept, 3, 4)
    assert steps(kept) == [1, 4] and (tmp_path / "step-00000002" / "mine.txt").exists()
    with pytest.raises(CheckpointError, match="is pinned"), pytest.warns(UserWarning):
        save(kept, 1)
    with pytest.raises(CheckpointError, match="no checkpoint of ours"), pytest.warns(UserWarning):
        save(kept, 2)


def test_a_step_saved_twice_is_replaced_in_one_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path / "run")
    save(kept, 7)
    kept.save(7, model=model(8))
    assert steps(kept) == [7] and resumed(kept) == (7, 8) and len(list(kept.folder.iterdir())) == 1

    def cannot(*names: bytes) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Disk, "exchange", cannot)  # as on file systems without such a rename
    kept.save(7, model=model(9))
    assert resumed(kept) == (7, 9) and len(list(kept.folder.iterdir())) == 1


def test_a_step_that_another_writer_lets_go_meanwhile_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path / "run")
    save(kept, 7)

    def gone(disk: Disk, one: bytes, other: bytes) -> None:
        shutil.rmtree(os.fsdecode(other))
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Disk, "exchange", gone)
    kept.save(7, model=model(8))
    assert resumed(kept) == (7, 8) and len(list(kept.folder.iterdir())) == 1


def test_a_folder_that_was_renamed_is_not_taken_for_another_step(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    save(kept, 1, 2)
    (tmp_path / "step-00000001").rename(tmp_path / "step-00000009")
    with pytest.warns(RuntimeWarning, match="step-00000009: state.json has no parts or is that of another step"):
        assert resumed(kept) == (2, 2)


def test_tensors_of_extra_go_where_they_are_told_to(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(1, extra={"mean": torch.ones(3)})
    for device, place in ((None, "cpu"), ("meta", "meta"), ({"cpu": "meta"}, "meta"), ({"cuda:0": "meta"}, "cpu")):
        extra: dict[str, Any] = {}
        kept.resume(extra=extra, device=device)
        assert extra["mean"].device.type == place


def test_a_step_below_the_newest_stays_and_is_told(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, keep_last=2, keep_best=0)
    save(kept, 100, 200)
    with pytest.warns(UserWarning, match="step 5 is saved below step 200"):
        save(kept, 5)
    assert steps(kept) == [5, 100, 200]


def test_clock_jumps_change_nothing(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, keep_last=2, keep_best=0)
    for step in (1, 2, 3, 4):
        save(kept, step)
        for path in tmp_path.iterdir():
            os.utime(path, (10**9 - step * 10**8,) * 2)
    assert steps(kept) == [3, 4] and resumed(kept) == (4, 4)


def _writer(folder: Path, value: int) -> None:
    kept = Checkpoints(folder, keep_last=2, keep_best=0)
    for step in range(1, 16):
        kept.save(step, model=model(value, 64), extra={"value": value})


@pytest.mark.filterwarnings("ignore:step .* is saved below")
def test_two_writers_in_one_directory_never_mix(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    torch.set_num_threads(1)
    both = [context.Process(target=_writer, args=(tmp_path / "run", value)) for value in (1, 2)]
    for each in both:
        each.start()
    kept = Checkpoints(tmp_path / "run")
    while any(each.is_alive() for each in both):
        time.sleep(0.01)
        assert not [each for each in kept.saved() if each.trouble and each.path.exists()]
    assert [each.exitcode for each in both] == [0, 0]
    made, extra = model(-1, 64), dict[str, object]()
    assert kept.resume(model=made, extra=extra) == 15
    assert {each for row in made.weight.tolist() for each in row} == {extra["value"]}
    assert steps(kept) == [14, 15] and len(list(kept.folder.iterdir())) == 2


def test_leftovers_of_a_killed_save_go_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    save(kept, 1)
    from modelyard.apply.folder import folder

    with folder(Disk(), bytes(tmp_path)) as living:
        dead = tmp_path / (".modelyard-version-" + "0" * 16)
        shutil.copytree(tmp_path / "step-00000001", dead)
        for path in (dead, os.fsdecode(living.path)):
            os.utime(path, (1, 1))
        save(kept, 2)
        assert not dead.exists() and os.path.exists(living.path)


def test_what_does_not_fit_is_told_and_other_checkpoints_are_not_tried(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    save(kept, 1, 2)
    with pytest.raises(CheckpointError, match=r"model does not fit what was saved: [\s\S]*size mismatch"):
        kept.resume(model=model(0, 5))
    with pytest.raises(CheckpointError, match="Missing key"):
        kept.resume(model=torch.nn.Sequential(model()))
    with pytest.raises(CheckpointError, match="holds no scaler; it holds model"):
        kept.resume(model=model(), scaler=torch.amp.GradScaler("cpu"))
    with pytest.raises(CheckpointError, match=r"metric.loss is of type float, which keeps no state"):
        kept.save(3, model=model(), metric={"loss": 0.5})
    with pytest.raises(CheckpointError, match="has no checkpoint of step 77; it has 1, 2"):
        kept.resume(model=model(), step=77)
    for step in (-1, True, 1.5, 10**18):
        with pytest.raises(CheckpointError, match="is no step"):
            kept.save(step, model=model())  # type: ignore[arg-type]


ENDS = """
import sys, torch
from modelyard import Checkpoints
one, two = (Checkpoints(sys.argv[1] + "/" + name, async_save=True) for name in ("one", "two"))
one.save(1, model=torch.nn.Linear(900, 900))
two.save(1, model=torch.nn.Linear(2000, 2000))
"""


def test_a_program_that_ends_waits_for_its_last_save_and_tells_when_it_failed(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path / "small", "-t", "tmpfs", "-o", "size=8M") as place:
        done = subprocess.run([sys.executable, "-c", ENDS, place], capture_output=True, text=True, check=True)
        assert Checkpoints(place / "one").resume(model=torch.nn.Linear(900, 900)) == 1
        assert not steps(Checkpoints(place / "two"))
    assert done.stderr.count("the last checkpoint was not saved: [Errno 28] No space left on device") == 1


def test_saving_behind_holds_what_was_there_when_save_returned(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, async_save=True) as kept:
        made, state = model(0, 512), {"rows": torch.zeros(3)}
        for step in range(1, 6):
            torch.nn.init.constant_(made.weight, step)
            state["rows"].fill_(step)
            kept.save(step, model=made, extra=state)
            torch.nn.init.constant_(made.weight, -1)
            state["rows"].fill_(-1)
        assert steps(kept)[-1] in (4, 5)
    for each in kept.saved():
        found = kept.load(each.step)
        assert found is not None
        assert torch.all(found.parts["model"]["weight"] == each.step)  # type: ignore[index]
        assert torch.all(found.parts["extra"]["rows"] == each.step)  # type: ignore[index]


def test_many_models_and_lists_of_optimizers_are_saved_by_name(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    run, other = begin(), begin(seed=1)
    pair = {"model": {"g": run.model, "d": other.model}, "optimizer": [run.optimizer, other.optimizer]}
    train(None, run, 3)
    path = kept.save(1, **pair)  # type: ignore[arg-type]
    assert "g.0.weight" in json.dumps(json.loads((path / "state.json").read_text())["parts"]["model"])
    fresh, second = begin(seed=2), begin(seed=3)
    kept.resume(model={"g": fresh.model, "d": second.model}, optimizer=[fresh.optimizer, second.optimizer])
    assert torch.equal(fresh.model[0].weight, run.model[0].weight)  # type: ignore[index]
    with pytest.raises(CheckpointError, match="optimizer has 1 members"):
        kept.resume(optimizer=[fresh.optimizer])


def test_tied_weights_stay_tied_and_load_with_safetensors_itself(tmp_path: Path) -> None:
    from safetensors.torch import load_model

    def tied(seed: int) -> Any:
        torch.manual_seed(seed)
        made = torch.nn.Sequential(torch.nn.Embedding(8, 4), torch.nn.Linear(4, 8, bias=False))
        made[1].weight = made[0].weight
        return made

    one, two, three = tied(0), tied(1), tied(2)
    path = Checkpoints(tmp_path).save(1, model=one)
    Checkpoints(tmp_path).resume(model=two)
    load_model(three, path / "model.safetensors")
    for each in (two, three):
        assert torch.equal(each[0].weight, one[0].weight) and each[0].weight is each[1].weight
