"""Fooocus: models, images, and what its settings, its presets and the environment say of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact
from modelyard.stores import fooocus


def program(base: Path) -> Path:
    """The parts of a clone by which it is recognised; it ships empty folders of ComfyUI's names."""
    for name in ("fooocus_version.py", "entry_with_update.py", "modules/config.py", "models/clip/put_clip_here"):
        makers.write(base / name, "code")
    return base


def make(home: Path) -> None:
    """An install with a model of its preset, one's own LoRA, the prompt expansion and images."""
    base = program(home / "Fooocus")
    preset = {
        "checkpoint_downloads": {"jugger.safetensors": "https://user:secret@host/jugger.safetensors?token=secret"}
    }
    makers.write(base / "presets/default.json", json.dumps(preset))
    makers.write(base / "models/checkpoints/jugger.safetensors", b"w" * 5000)
    makers.write(base / "models/loras/own.safetensors", b"l" * 3000)
    os.truncate(makers.write(base / "models/inpaint/inpaint_v26.fooocus.patch"), 1 << 20)
    makers.write(base / "models/prompt_expansion/fooocus_expansion/config.json", "{}")
    makers.write(base / "models/prompt_expansion/fooocus_expansion/pytorch_model.bin", b"e" * 3000)
    makers.write(base / "outputs/2026-01-01/1.png", b"i" * 3000)


def settings(home: Path, **keys: object) -> None:
    """Writes config.txt."""
    makers.write(home / "Fooocus/config.txt", json.dumps(keys))


def look(home: Path, **env: str) -> dict[str, Artifact]:
    """What was found, by id without the store."""
    return {name.removeprefix("fooocus:"): each for name, each in makers.artifacts(home, **env).items()}


def test_models_and_images(home: Path) -> None:
    make(home)
    found = {name.removeprefix("Fooocus/"): (each.kind, each.recovery) for name, each in look(home).items()}
    assert found == {
        "models/checkpoints/jugger.safetensors": ("model", "re-get"),
        "models/loras/own.safetensors": ("model", "none"),
        "models/inpaint/inpaint_v26.fooocus.patch": ("model", "none"),
        "models/prompt_expansion/fooocus_expansion": ("model", "none"),
        "outputs": ("other", "none"),
    }


def test_the_address_a_model_came_from_tells_no_secret(home: Path) -> None:
    make(home)
    facts = dict(look(home)["Fooocus/models/checkpoints/jugger.safetensors"].facts)
    assert facts["source"] == "https://host/jugger.safetensors"


def test_settings_move_folders_and_may_name_several(home: Path) -> None:
    make(home)
    for place in ("a/x.safetensors", "b/y.safetensors", "Fooocus/near/z.safetensors", "pictures/1.png"):
        makers.write(home / place, b"w" * 3000)
    settings(
        home, path_checkpoints=[f"{home}/a", f"{home}/b"], path_loras="near", path_outputs=f"{home}/pictures", x=[1]
    )
    found = look(home)
    assert {"a/x.safetensors", "b/y.safetensors", "pictures", "Fooocus/models/loras/own.safetensors"} <= set(found)
    assert found["Fooocus/near/z.safetensors"].detail == "LoRA"


def test_variables_of_the_same_name_come_first(home: Path, tmp_path: Path) -> None:
    makers.write(tmp_path / "drive/x.safetensors", b"w" * 3000)
    makers.write(tmp_path / "pictures/1.png", b"i" * 3000)
    moved = {"path_loras": f"{tmp_path}/drive", "path_outputs": f"{tmp_path}/pictures"}
    assert makers.places(fooocus, home, "linux", **moved) == [
        (f"{tmp_path}/drive", "path_loras"),
        (f"{tmp_path}/pictures", "path_outputs"),
    ]
    found = look(home, **moved)
    assert {each.detail or each.title for each in found.values()} == {"LoRA", "images that were made"}


def test_config_path_renames_the_settings_file(home: Path, tmp_path: Path) -> None:
    makers.write(tmp_path / "drive/x.safetensors", b"w" * 3000)
    file = makers.write(home / "mine.json", json.dumps({"path_vae": f"{tmp_path}/drive", "path_loras": ["/l"]}))
    assert makers.places(fooocus, home, config_path=str(file), path_loras="/m") == [
        ("/m", "path_loras"),
        (f"{tmp_path}/drive", f"{file} path_vae"),
    ]
    assert [each.detail for each in look(home, config_path=str(file)).values()] == ["VAE"]


@pytest.mark.parametrize("text", ["{", "[" * 60_000, '{"path_loras": {"a": 1}}', "\udcff"])
def test_broken_settings_are_a_problem_and_hide_nothing(text: str, home: Path) -> None:
    make(home)
    before = set(look(home))
    makers.write(home / "Fooocus/config.txt", text.encode("utf-8", "surrogateescape"))
    assert set(look(home)) == before
    found = api.survey({}, home, "linux", system=False)
    assert [(each.path, each.code) for each in found.problems] == [
        (f"{home}/Fooocus/config.txt", "unreadable-settings")
    ]


def test_it_is_not_taken_for_comfyui(home: Path) -> None:
    make(home)
    assert {each.store for each in makers.artifacts(home).values()} == {"fooocus"}
