"""StabilityMatrix: where its library is, and models that all its packages share."""

from __future__ import annotations

import json
from pathlib import Path

import makers
from modelyard import api
from modelyard.stores import stabilitymatrix
from stores import test_automatic1111, test_comfyui

CARD = {
    "ModelId": 5,
    "ModelName": "Ink",
    "VersionId": 7,
    "VersionName": "v2",
    "BaseModel": "Pony",
    "Hashes": {"SHA256": "AB" * 32, "BLAKE3": "CD"},
    "Source": "Civitai",
}


def library(base: Path) -> Path:
    """A library with a shared model, one without a source, an image and a download under way."""
    makers.write(base / "settings.json", "{}")
    makers.write(base / "Models/Lora/ink.safetensors", b"l" * 90_000)
    makers.write(base / "Models/Lora/ink.cm-info.json", json.dumps(CARD))
    makers.write(base / "Models/StableDiffusion/merge.safetensors", b"w" * 5000)
    makers.write(base / "Images/Inference/1.png", b"i" * 3000)
    makers.write(base / ".downloads/flux.safetensors.part", b"half")
    makers.write(base / "Packages/other/readme.txt", "")
    return base


def make(home: Path) -> None:
    """A library that the app's data names."""
    library(home / "StabilityMatrix")
    makers.write(home / ".config/StabilityMatrix/library.json", json.dumps({"LibraryPath": f"{home}/StabilityMatrix"}))


def test_shared_models_are_named_by_their_cards(home: Path) -> None:
    make(home)
    found = {
        name.removeprefix("stabilitymatrix:StabilityMatrix/"): each for name, each in makers.artifacts(home).items()
    }
    assert {name: (each.title, each.state, each.recovery) for name, each in found.items()} == {
        "Models/Lora/ink.safetensors": ("Ink v2", "complete", "re-get"),
        "Models/StableDiffusion/merge.safetensors": ("merge.safetensors", "complete", "none"),
        "Images": ("images that were made", "complete", "none"),
        ".downloads/flux.safetensors.part": ("flux.safetensors.part", "partial", "re-get"),
    }
    facts = dict(found["Models/Lora/ink.safetensors"].facts)
    assert facts == {
        "type": "LoRA",
        "base model": "Pony",
        "source": "Civitai model 5, version 7",
        "sha256 by its note": "ab" * 32,
    }


def test_where_the_library_is_named(home: Path) -> None:
    for folder in (".config", "Library/Application Support", "AppData/Roaming", "own"):
        data = home / folder / "StabilityMatrix" if folder != "own" else home / folder
        makers.write(data / "library.json", json.dumps({"LibraryPath": f"/{folder}"}))
    assert [path for path, _ in makers.places(stabilitymatrix, home)] == ["/.config"]
    assert [path for path, _ in makers.places(stabilitymatrix, home, "windows")] == ["/AppData/Roaming"]
    both = [path for path, _ in makers.places(stabilitymatrix, home, "macos")]
    assert both == ["/Library/Application Support", "/.config"]
    moved = makers.places(stabilitymatrix, home, STABILITY_MATRIX_APPDATAHOME="~/own")
    assert moved == [("/own", f"{home}/own/library.json LibraryPath")]


def test_models_that_were_moved_to_another_drive_are_reached(home: Path, tmp_path: Path) -> None:
    make(home)
    (home / "StabilityMatrix/Models").rename(tmp_path / "models")
    makers.write(home / "StabilityMatrix/settings.json", json.dumps({"ModelDirectoryOverride": f"{tmp_path}/models"}))
    roots = makers.places(stabilitymatrix, home)
    assert roots[1] == (f"{tmp_path}/models", f"{home}/StabilityMatrix/settings.json ModelDirectoryOverride")
    survey = api.survey({}, home, "linux", system=False)
    assert len([each for each in survey.artifacts if each.title == "Ink v2"]) == 1
    assert not survey.problems


def test_a_portable_library_is_recognised_anywhere(home: Path) -> None:
    base = library(home / "usb/StabilityMatrix/Data")
    makers.write(base / ".sm-portable", "")
    (base / "settings.json").unlink()
    assert "stabilitymatrix:usb/StabilityMatrix/Data/Models/Lora/ink.safetensors" in makers.artifacts(home)


def test_folders_that_packages_share_by_links_are_counted_once(home: Path) -> None:
    make(home)
    alone = api.survey({}, home, "linux", system=False).totals
    models = home / "StabilityMatrix/Models"
    web = test_automatic1111.program(home / "StabilityMatrix/Packages/webui")
    (web / "models/Lora").symlink_to(models / "Lora")
    comfy = test_comfyui.program(home / "StabilityMatrix/Packages/ComfyUI")
    (comfy / "models/loras").symlink_to(models / "Lora")
    makers.write(web / "venv/pyvenv.cfg", "version = 3.10\n")
    survey = api.survey({}, home, "linux", system=False)
    found = {each.id: each for each in survey.artifacts}
    name = "StabilityMatrix/Models/Lora/ink.safetensors"
    shared = [f"{tool}:{name}" for tool in ("stabilitymatrix", "automatic1111", "comfyui")]
    assert {found[each].title for each in shared} == {"Ink v2"}
    assert all(found[each].sizes.freed < 90_000 < found[each].sizes.allocated for each in shared)
    assert survey.freed(shared).freed > 90_000
    environment = next(each for each in survey.artifacts if each.store == "venv")
    assert survey.totals.allocated == alone.allocated + environment.sizes.allocated
    assert not survey.problems


def test_broken_settings_are_problems_and_hide_nothing(home: Path) -> None:
    make(home)
    before = set(makers.artifacts(home))
    makers.write(home / "StabilityMatrix/settings.json", "{")
    survey = api.survey({}, home, "linux", system=False)
    assert {each.id for each in survey.artifacts} == before
    assert {each.code for each in survey.problems} == {"unreadable-settings"}


def test_a_folder_of_packages_of_another_program_is_nobodys(home: Path) -> None:
    makers.write(home / "sublime/Packages/x.json", "{}")
    makers.write(home / "sublime/settings.json", "{}")
    assert not makers.artifacts(home)
