"""Checkpoints: what is one, which is the best, and what only looks like one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact


def make(home: Path) -> None:
    """A run with a best and a last checkpoint, an interrupted save, and other trainers' layouts."""
    for step in (500, 1000, 1500):
        makers.trainer_checkpoint(home / "work" / "out", step, best=1000)
    makers.write(home / "work" / "out" / "checkpoint-2000" / "optimizer.pt", b"o" * 4000)
    makers.torch_zip(home / "work" / "pl" / "epoch=1-step=8.ckpt", makers.LIGHTNING_PICKLE)
    makers.write(home / "work" / "ds" / "global_step4" / "mp_rank_00_model_states.pt", b"d" * 4000)
    makers.write(home / "work" / "ds" / "latest", "global_step4")


def artifacts(home: Path) -> dict[str, Artifact]:
    """The artifacts of the home by what follows the store's name."""
    found = api.survey({}, home, "linux", system=False).artifacts
    return {each.id.removeprefix("checkpoint:"): each for each in found}


def test_the_best_and_the_last_are_kept_apart_from_the_superseded(home: Path) -> None:
    for step in (500, 1000, 1500):
        makers.trainer_checkpoint(home / "out", step, best=1000)
    found = artifacts(home)
    told = {name: (each.tags, each.recovery) for name, each in found.items()}
    assert told == {
        "out/checkpoint-500": ((), "superseded"),
        "out/checkpoint-1000": (("best",), "none"),
        "out/checkpoint-1500": (("last",), "none"),
    }
    assert {each.group for each in found.values()} == {str(home / "out")}


def test_the_last_is_the_highest_step_whatever_the_times_say(home: Path) -> None:
    for step in (1500, 900, 1000):
        makers.trainer_checkpoint(home / "out", step)
    assert artifacts(home)["out/checkpoint-1500"].tags == ("last",)


def test_the_best_by_an_old_state_that_names_only_a_path_of_another_machine(home: Path) -> None:
    for step in (500, 1000, 1500):
        makers.trainer_checkpoint(home / "out", step, best_model_checkpoint="C:\\runs\\out\\checkpoint-500")
    assert artifacts(home)["out/checkpoint-500"].tags == ("best",)


def test_a_best_that_is_not_here_supersedes_nothing(home: Path) -> None:
    for step in (500, 1000):
        makers.trainer_checkpoint(home / "out", step, best=250)
    assert {each.recovery for each in artifacts(home).values()} == {"none"}


def test_a_damaged_state_supersedes_nothing(home: Path) -> None:
    for step in (500, 1000):
        makers.trainer_checkpoint(home / "out", step)
    makers.write(home / "out" / "checkpoint-1000" / "trainer_state.json", "{")
    survey = api.survey({}, home, "linux", system=False)
    assert {each.recovery for each in survey.artifacts} == {"none"}
    assert [problem.code for problem in survey.problems] == ["bad-state"]


@pytest.mark.parametrize(
    ("folder", "files", "detail", "state"),
    [
        ("checkpoint-7", ("optimizer.pt", "model.safetensors"), "Trainer, step 7", "partial"),
        ("tmp-checkpoint-7", ("model.safetensors",), "Trainer, step 7", "partial"),
        ("checkpoint-7", ("trainer_state.json", "checkpoint-is-incomplete.txt"), "Trainer, step 7", "partial"),
        ("checkpoint-7-epoch-1", ("pytorch_model.bin",), "simpletransformers, step 7", "complete"),
        ("checkpoint_3", ("random_states_0.pkl", "optimizer.bin"), "Accelerate, step 3", "complete"),
        ("checkpoint-7", ("random_states_0.pkl", "model.safetensors"), "Accelerate, step 7", "complete"),
        ("checkpoint-7", ("adapter_model.safetensors", "adapter_config.json"), "weights only, step 7", "complete"),
        ("global_step7", ("bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt",), "DeepSpeed, step 7", "complete"),
        ("global_step7", ("mp_rank_00_model_states.pt",), "DeepSpeed, step 7", "complete"),
        ("step_7", ("__0_0.distcp", ".metadata"), "torch DCP, step 7", "complete"),
        ("step_7", ("__0_0.distcp", "__0.metadata"), "torch DCP, step 7", "complete"),
        ("step_7", ("__0_0.distcp", ".metadata.tmp"), "torch DCP, step 7", "partial"),
        ("7", ("_CHECKPOINT_METADATA", "default/manifest.ocdbt", "default/d/x"), "Orbax, step 7", "complete"),
    ],
)
def test_what_each_trainer_writes(folder: str, files: tuple[str, ...], detail: str, state: str, home: Path) -> None:
    for file in files:
        makers.write(home / "run" / folder / file)
    found = artifacts(home)
    assert list(found) == [f"run/{folder}"]
    assert (found[f"run/{folder}"].detail, found[f"run/{folder}"].state) == (detail, state)


def test_an_uncommitted_orbax_step_beside_a_committed_one(home: Path) -> None:
    makers.write(home / "run" / "10" / "_CHECKPOINT_METADATA", "{}")
    makers.write(home / "run" / "20.orbax-checkpoint-tmp-1700" / "default" / "d" / "x")
    assert artifacts(home)["run/20.orbax-checkpoint-tmp-1700"].state == "partial"


def test_the_parts_of_a_checkpoint_are_not_checkpoints_of_their_own(home: Path) -> None:
    folder = makers.trainer_checkpoint(home / "out", 500)
    makers.write(folder / "global_step500" / "mp_rank_00_model_states.pt")
    makers.write(folder / "pytorch_model_fsdp_0" / "__0_0.distcp")
    makers.write(folder / "pytorch_model_fsdp_0" / ".metadata")
    assert list(artifacts(home)) == ["out/checkpoint-500"]


def test_lightning_files_by_what_is_inside(home: Path) -> None:
    folder = home / "lightning_logs/version_0/checkpoints"
    makers.torch_zip(folder / "epoch=1-step=8.ckpt", makers.LIGHTNING_PICKLE)
    makers.torch_zip(folder / "stable-diffusion.ckpt", b"\x80\x02}q\x00X\x0a\x00\x00\x00state_dictq\x01}s.")
    assert list(artifacts(home)) == ["lightning_logs/version_0/checkpoints/epoch=1-step=8.ckpt"]


def test_a_last_link_keeps_its_target_and_takes_nothing(home: Path) -> None:
    target = makers.torch_zip(home / "run" / "epoch=1-step=8.ckpt", makers.LIGHTNING_PICKLE)
    makers.torch_zip(home / "run" / "epoch=0-step=4.ckpt", makers.LIGHTNING_PICKLE)
    (home / "run" / "last.ckpt").symlink_to(target.name)
    found = artifacts(home)
    assert set(found) == {"run/epoch=0-step=4.ckpt", "run/epoch=1-step=8.ckpt"}
    assert found["run/epoch=1-step=8.ckpt"].tags == ("last", "linked")
    assert found["run/epoch=0-step=4.ckpt"].recovery == "none"  # which of them is best only the pickle tells


def test_what_deepspeed_calls_latest_is_told(home: Path) -> None:
    for step in (4, 8):
        makers.write(home / "run" / f"global_step{step}" / "mp_rank_00_model_states.pt")
    makers.write(home / "run" / "latest", "global_step4")
    assert artifacts(home)["run/global_step4"].tags == ("linked",)


@pytest.mark.parametrize(
    "path",
    [
        "project/.ipynb_checkpoints/notebook-checkpoint.ipynb",
        "project/checkpoint-1/notes.txt",
        "env/lib/python3.11/site-packages/pkg/checkpoint-1/trainer_state.json",
        "checkpoint-3.py",
        "run/trainer_state.json",
        "run/model.ckpt",
    ],
)
def test_what_only_looks_like_a_checkpoint(path: str, home: Path) -> None:
    makers.write(home / path, json.dumps({"global_step": 1}))
    assert not artifacts(home)


def test_a_checkpoint_downloaded_from_a_hub_stays_the_hubs(home: Path) -> None:
    files = {"checkpoint-5/trainer_state.json": b"{}", "checkpoint-5/model.safetensors": b"w"}
    makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", files)
    assert list(artifacts(home)) == [f"hf:model/acme/tiny@{'a' * 12}"]


def test_numbers_that_are_none_in_a_state_as_python_writes_them(home: Path) -> None:
    for step in (500, 1000):
        makers.trainer_checkpoint(home / "out", step)
    state = '{"global_step": 1000, "max_steps": null, "log_history": [{"loss": NaN, "grad_norm": -Infinity}]}'
    makers.write(home / "out" / "checkpoint-1000" / "trainer_state.json", state)
    assert artifacts(home)["out/checkpoint-500"].recovery == "superseded"


def test_a_folder_called_snapshots_that_is_no_hubs(home: Path) -> None:
    makers.trainer_checkpoint(home / "snapshots" / "run", 5)
    assert list(artifacts(home)) == ["snapshots/run/checkpoint-5"]


def test_a_stable_diffusion_model_is_no_checkpoint_though_lightning_wrote_it(home: Path) -> None:
    models = home / "webui" / "models"
    for kind in ("VAE", "Lora"):
        (models / kind).mkdir(parents=True)
    makers.torch_zip(models / "Stable-diffusion" / "v1-5.ckpt", makers.LIGHTNING_PICKLE)
    makers.torch_zip(home / "run" / "last.ckpt", makers.LIGHTNING_PICKLE)
    assert [name for name in makers.artifacts(home) if name.startswith("checkpoint:")] == ["checkpoint:run/last.ckpt"]
