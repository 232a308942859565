"""Checkpoints of real trainers: found, told apart, grouped by run, and never loaded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard import api
from modelyard.inventory import Artifact
from real import disk
from real.surveys import by_id, codes, paths, survey


def below(seen: api.Survey, folder: Path) -> dict[str, Artifact]:
    """The checkpoints under a folder, by their path relative to it."""
    label = f"checkpoint:{folder.relative_to(seen.home)}/"
    return {name.removeprefix(label): each for name, each in by_id(seen, "checkpoint").items() if label in name}


def test_all_that_the_trainers_saved_is_found_and_nothing_else(runs: Path, home: Path) -> None:
    assert {name: each.detail.split(",")[0] for name, each in below(survey(home), runs).items()} == {
        **{f"{run}/checkpoint-{step}": "Trainer" for run in ("trainer", "restarted") for step in (2, 4, 6, 8)},
        **{f"{run}/epoch={n}-step={2 * n + 2}.ckpt": "Lightning" for run in ("linked", "copied") for n in range(3)},
        **{f"monitored/epoch={n}-step={2 * n + 2}.ckpt": "Lightning" for n in range(4)},
        "copied/last.ckpt": "Lightning",
        **{f"sharded/step-{step}": "torch DCP" for step in (10, 20)},
        **{f"accelerated/checkpoints/checkpoint_{number}": "Accelerate" for number in (0, 1)},
        "accelerated/by-script/checkpoint-500": "Accelerate",
    }


def test_each_checkpoint_frees_exactly_its_own(runs: Path, home: Path) -> None:
    seen = survey(home)
    found = below(seen, runs)
    assert found
    for name, each in found.items():
        links = [path for path in paths(seen, each.pins) if path.is_symlink()]
        assert each.sizes.freed == disk.freed(runs / name, *links) > 0, name
    assert seen.freed(by_id(seen, "checkpoint")).freed == sum(each.sizes.freed for each in found.values())


def test_nothing_of_a_checkpoint_is_read_that_leaves_a_trace(runs: Path, home: Path) -> None:
    files = [path for path in disk.below(runs) if path.is_file() and not path.is_symlink()]
    for path in files:
        os.utime(path, (1_000_000, 2_000_000))  # read last before written last: relatime would note a reading
    assert below(survey(home), runs)
    assert {path.stat().st_atime for path in files} == {1_000_000}


def test_the_best_and_the_last_of_a_run_stay_and_the_others_are_superseded(runs: Path, home: Path) -> None:
    found = below(survey(home), runs / "trainer")
    assert {name: (each.tags, each.recovery) for name, each in found.items()} == {
        "checkpoint-2": ((), "superseded"),
        "checkpoint-4": (("best",), "none"),
        "checkpoint-6": ((), "superseded"),
        "checkpoint-8": (("last",), "none"),
    }
    assert {each.group for each in found.values()} == {str(runs / "trainer")}
    assert [each.revision for each in found.values()] == ["2", "4", "6", "8"]
    assert {each.state for each in found.values()} == {"complete"}


def test_a_run_that_was_moved_still_knows_its_best(runs: Path, home: Path) -> None:
    moved = home / "archive" / "acme run 7"
    shutil.copytree(runs / "trainer", moved)
    shutil.rmtree(runs)
    state = json.loads((moved / "checkpoint-8" / "trainer_state.json").read_text())
    assert not Path(state["best_model_checkpoint"]).is_relative_to(home)
    assert below(survey(home), moved)["checkpoint-4"].tags == ("best",)


def test_a_run_whose_best_is_gone_supersedes_nothing(runs: Path, home: Path) -> None:
    shutil.rmtree(runs / "trainer" / "checkpoint-4")
    found = below(survey(home), runs / "trainer")
    assert {name: each.recovery for name, each in found.items()} == dict.fromkeys(
        ("checkpoint-2", "checkpoint-6", "checkpoint-8"), "none"
    )


def test_a_folder_in_which_a_shorter_run_started_again_supersedes_nothing(runs: Path, home: Path) -> None:
    states = {
        step: json.loads((runs / "restarted" / f"checkpoint-{step}" / "trainer_state.json").read_text())
        for step in (4, 8)
    }
    assert {step: state["best_global_step"] for step, state in states.items()} == {4: 2, 8: 4}
    found = below(survey(home), runs / "restarted")
    assert {name: each.recovery for name, each in found.items()} == dict.fromkeys(
        (f"checkpoint-{step}" for step in (2, 4, 6, 8)), "none"
    )


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"best_global_step": "four"}', b"\xff\xfe"])
def test_a_damaged_state_supersedes_nothing_and_is_a_problem(text: bytes, runs: Path, home: Path) -> None:
    (runs / "trainer" / "checkpoint-8" / "trainer_state.json").write_bytes(text)
    seen = survey(home)
    assert {each.recovery for each in below(seen, runs / "trainer").values()} == {"none"}
    assert codes(seen) == ["bad-state"]


def test_an_interrupted_save_is_partial_and_never_the_last(runs: Path, home: Path) -> None:
    (runs / "trainer" / "checkpoint-8" / "trainer_state.json").unlink()
    found = below(survey(home), runs / "trainer")
    assert {name: (each.tags, each.state) for name, each in found.items()} == {
        "checkpoint-2": ((), "complete"),
        "checkpoint-4": (("best",), "complete"),
        "checkpoint-6": (("last",), "complete"),
        "checkpoint-8": ((), "partial"),
    }
    assert found["checkpoint-8"].recovery == "none"


def test_saves_of_older_and_newer_trainers_that_did_not_end_are_partial(runs: Path, home: Path) -> None:
    run = runs / "trainer"
    (run / "checkpoint-8").rename(run / "tmp-checkpoint-8")
    (run / "checkpoint-6" / "checkpoint-is-incomplete.txt").touch()
    found = below(survey(home), run)
    assert {name for name, each in found.items() if each.state == "partial"} == {"tmp-checkpoint-8", "checkpoint-6"}
    assert found["checkpoint-4"].tags == ("last", "best")


def test_a_link_that_names_the_last_belongs_to_what_it_names(runs: Path, home: Path) -> None:
    seen = survey(home)
    last = below(seen, runs / "linked")["epoch=2-step=6.ckpt"]
    assert last.tags == ("last", "linked")
    assert paths(seen, last.pins) == {runs / "linked" / "last.ckpt"}
    assert last.sizes.freed == disk.freed(runs / "linked" / "last.ckpt", runs / "linked" / "epoch=2-step=6.ckpt")


def test_no_checkpoint_is_superseded_where_the_best_is_not_known(runs: Path, home: Path) -> None:
    found = below(survey(home), runs)
    others = {name: each for name, each in found.items() if each.detail.split(",")[0] != "Trainer"}
    assert len(others) == 16
    assert {each.recovery for each in others.values()} == {"none"}


def test_a_sharded_save_without_its_index_is_partial(runs: Path, home: Path) -> None:
    index = runs / "sharded" / "step-20" / ".metadata"
    index.rename(index.with_name(".metadata.tmp"))
    found = below(survey(home), runs / "sharded")
    assert {name: each.state for name, each in found.items()} == {"step-10": "complete", "step-20": "partial"}


def test_shards_inside_a_checkpoint_are_part_of_it(runs: Path, home: Path) -> None:
    shutil.copytree(runs / "sharded" / "step-10", runs / "trainer" / "checkpoint-6" / "pytorch_model_fsdp_0")
    shutil.copytree(runs / "sharded" / "step-10", runs / "trainer" / "checkpoint-6" / "optimizer_0")
    found = below(survey(home), runs / "trainer")
    assert set(found) == {f"checkpoint-{step}" for step in (2, 4, 6, 8)}
    assert found["checkpoint-6"].sizes.freed == disk.freed(runs / "trainer" / "checkpoint-6")


def test_a_sharded_lightning_checkpoint_is_one_folder(runs: Path, home: Path) -> None:
    folder = runs / "wide" / "epoch=0-step=9.ckpt"
    shutil.copytree(runs / "sharded" / "step-10", folder)
    shutil.copy(runs / "sharded" / "step-10" / "__0_0.distcp", folder / "meta.pt")
    found = below(survey(home), runs / "wide")
    assert list(found) == [folder.name]
    assert found[folder.name].sizes.freed == disk.freed(folder)


def write(folder: Path, *names: str) -> Path:
    """Files of a size that shows, in a folder made for them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes(20_000))
    return folder


def orbax(step: Path) -> Path:
    """A step as Orbax's manager writes it: an item with a manifest of its own and one for each process."""
    item = ("_METADATA", "_sharding", "manifest.ocdbt", "d/5a1c", "ocdbt.process_0/manifest.ocdbt")
    return write(step, "_CHECKPOINT_METADATA", *(f"default/{name}" for name in (*item, "ocdbt.process_0/d/0f")))


def test_an_orbax_step_is_one_checkpoint_however_many_manifests_it_has(home: Path) -> None:
    manager = home / "jax" / "checkpoints"
    for step in ("100", "200"):
        orbax(manager / step)
    orbax(manager / "300.orbax-checkpoint-tmp-17")
    found = below(survey(home), manager)
    assert {name: each.state for name, each in found.items()} == {
        "100": "complete",
        "200": "complete",
        "300.orbax-checkpoint-tmp-17": "partial",
    }
    assert found["200"].tags == ("last",)
    assert all(each.sizes.freed == disk.freed(manager / name) > 100_000 for name, each in found.items())


def test_an_orbax_step_that_is_one_item_is_one_checkpoint(home: Path) -> None:
    manager = home / "jax" / "weights"
    write(manager / "step_5", "manifest.ocdbt", "d/77", "ocdbt.process_0/manifest.ocdbt", "ocdbt.process_0/d/77")
    found = below(survey(home), manager)
    assert {name: each.revision for name, each in found.items()} == {"step_5": "5"}


def deepspeed(folder: Path, step: int) -> Path:
    """One tag of DeepSpeed: the model's states and every rank's part of the optimizer."""
    ranks = [f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in range(4)]
    return write(folder / f"global_step{step}", "mp_rank_00_model_states.pt", *ranks)


def test_all_ranks_of_a_deepspeed_tag_are_one_checkpoint(home: Path) -> None:
    run = home / "runs" / "wide"
    tags = [deepspeed(run, step) for step in (400, 800)]
    (run / "latest").write_text("global_step800\n")
    seen = survey(home)
    found = below(seen, run)
    assert {name: each.tags for name, each in found.items()} == {
        "global_step400": (),
        "global_step800": ("last", "linked"),
    }
    assert paths(seen, found["global_step800"].pins) == {run / "latest"}
    assert found["global_step400"].sizes.freed == disk.freed(tags[0])
    assert {each.recovery for each in found.values()} == {"none"}


def test_deepspeed_inside_a_trainer_checkpoint_is_part_of_it(runs: Path, home: Path) -> None:
    inside = runs / "trainer" / "checkpoint-6"
    deepspeed(inside, 6)
    (inside / "latest").write_text("global_step6")
    found = below(survey(home), runs / "trainer")
    assert set(found) == {f"checkpoint-{step}" for step in (2, 4, 6, 8)}
    assert found["checkpoint-6"].sizes.freed == disk.freed(inside)


def test_a_picture_model_with_the_same_extension_is_no_checkpoint(runs: Path, home: Path) -> None:
    assert (runs / "pictures" / "v1-5.ckpt").read_bytes()[:2] == b"PK"
    assert not below(survey(home), runs / "pictures")


def test_folders_that_are_only_called_checkpoint_are_none(home: Path) -> None:
    write(home / "notes" / ".ipynb_checkpoints", "train-checkpoint.ipynb")
    write(home / "src" / "checkpoint-1", "train.py", "README.md")
    write(home / "src" / "checkpoint_utils", "model.py")
    write(home / "src" / "activation" / "checkpoint-policy", "rules.bin")
    write(home / "venv" / "lib" / "site-packages" / "checkpoint-3", "trainer_state.json", "model.safetensors")
    (home / "src" / "checkpoint-2").write_text("a file")
    assert not by_id(survey(home), "checkpoint")


def test_what_a_hub_cache_holds_is_the_hub_s(runs: Path, home: Path) -> None:
    repo = home / ".cache" / "huggingface" / "hub" / "models--globex--run"
    (repo / "blobs").mkdir(parents=True)
    snapshot = repo / "snapshots" / ("c" * 40) / "checkpoint-500"
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted((runs / "trainer" / "checkpoint-8").iterdir())):
        blob = repo / "blobs" / f"{number:040x}"
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(os.path.relpath(blob, snapshot))
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("c" * 40)
    shutil.rmtree(runs)
    seen = survey(home)
    assert not by_id(seen, "checkpoint")
    assert list(by_id(seen, "hf")) == [f"hf:model/globex/run@{'c' * 12}"]


def test_a_survey_loads_no_program_that_could_load_a_model(runs: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from modelyard import api\n"
        "seen = api.survey({}, Path(sys.argv[1]), 'linux', system=False)\n"
        "print(len(seen.artifacts), sorted({'torch', 'pickle', 'numpy', '_pickle'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, runs.parent], capture_output=True, text=True, check=True)
    assert done.stdout == "24 []\n"
