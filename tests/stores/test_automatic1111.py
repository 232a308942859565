"""AUTOMATIC1111's web interface: models with their sidecars, and the start arguments that move folders."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact
from modelyard.stores import automatic1111

CIVITAI = json.dumps(
    {"id": 7, "modelId": 5, "name": "v2", "baseModel": "SDXL 1.0", "model": {"name": "Ink", "type": "LORA"}}
)


def program(base: Path) -> Path:
    """The parts of a clone by which it is recognised."""
    for name in ("launch.py", "webui.py", "webui.sh", "modules/shared.py", "extensions-builtin/Lora/lora.py"):
        makers.write(base / name, "code")
    makers.write(base / "webui-user.sh", '#!/bin/bash\n#export COMMANDLINE_ARGS=""\n')
    makers.write(base / "models/Stable-diffusion/Put Stable Diffusion checkpoints here.txt", "")
    return base


def make(home: Path) -> None:
    """An install with models, a download under way, images and the weights of an extension."""
    base = program(home / "webui")
    makers.write(base / "models/Stable-diffusion/merge.safetensors", b"w" * 5000)
    makers.write(base / "models/Stable-diffusion/merge.yaml", "model: {}")
    makers.write(base / "models/Stable-diffusion/base.safetensors.tmp", b"half")
    makers.write(base / "models/Lora/style/ink.safetensors", b"l" * 3000)
    makers.write(base / "models/Lora/style/ink.civitai.info", CIVITAI)
    makers.write(base / "models/Lora/style/ink.preview.png", b"png")
    makers.write(base / "embeddings/bad-hands.pt", b"e" * 2000)
    os.truncate(makers.write(base / "extensions/sd-webui-controlnet/annotator/downloads/hed.pth"), 1 << 20)
    makers.write(base / "outputs/txt2img-images/2026-01-01/00001.png", b"i" * 3000)
    makers.write(base / "cache.json", "{}")


def start(home: Path, line: str, name: str = "webui-user.sh") -> None:
    """Writes a start script with this line."""
    makers.write(home / "webui" / name, f"# Commandline arguments\n{line}\n")


def look(home: Path) -> dict[str, Artifact]:
    """What was found, by id without the store."""
    return {name.removeprefix("automatic1111:"): each for name, each in makers.artifacts(home).items()}


def test_models_images_and_what_an_extension_fetched(home: Path) -> None:
    make(home)
    found = look(home)
    assert {name: (each.kind, each.state, each.recovery) for name, each in found.items()} == {
        "webui/models/Stable-diffusion/merge.safetensors": ("model", "complete", "none"),
        "webui/models/Stable-diffusion/base.safetensors.tmp": ("model", "partial", "re-get"),
        "webui/models/Lora/style/ink.safetensors": ("model", "complete", "re-get"),
        "webui/embeddings/bad-hands.pt": ("model", "complete", "none"),
        "webui/extensions/sd-webui-controlnet/annotator/downloads/hed.pth": ("model", "complete", "none"),
        "webui/outputs": ("other", "complete", "none"),
        "webui/cache.json": ("other", "complete", "re-make"),
    }


def test_sidecars_belong_to_their_model_and_tell_its_name_and_source(home: Path) -> None:
    make(home)
    found = look(home)
    ink = found["webui/models/Lora/style/ink.safetensors"]
    assert (ink.title, ink.detail, len(ink.pins)) == ("Ink v2", "LoRA, for SDXL 1.0", 2)
    assert ("source", "Civitai model 5, version 7") in ink.facts
    assert len(found["webui/models/Stable-diffusion/merge.safetensors"].pins) == 1


def test_the_placeholder_of_an_empty_install_is_no_model(home: Path) -> None:
    program(home / "webui")
    assert not makers.artifacts(home)


def test_its_environment_and_its_clone_are_left_to_others(home: Path) -> None:
    make(home)
    makers.write(home / "webui/venv/pyvenv.cfg", "version = 3.10.6\n")
    makers.write(home / "webui/venv/lib/torch.pt", b"t" * (2 << 20))
    makers.write(home / "webui/.git/objects/pack/pack-1.pack", b"g" * (2 << 20))
    found = makers.artifacts(home)
    assert found["venv:webui/venv"].sizes.freed > 2 << 20
    assert {each.store for each in found.values()} == {"venv", "automatic1111"}
    assert sum(each.sizes.allocated for each in found.values() if each.store == "automatic1111") < 2 << 20


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("webui-user.sh", "export COMMANDLINE_ARGS=\"--xformers --lora-dir '{0}' --medvram\""),
        ("webui-user.sh", "COMMANDLINE_ARGS=\"--lora-dir='{0}'\"  # mine"),
        ("webui-user.sh", "export COMMANDLINE_ARGS=\"--xformers \\\n  --lora-dir '{0}'\""),
        ("webui-user.bat", 'set COMMANDLINE_ARGS=--xformers --lora-dir "{0}"'),
        ("webui-user.bat", '@set "COMMANDLINE_ARGS=--lora-dir "{0}" --api"'),
        ("webui-user.sh", "export COMMANDLINE_ARGS=\"--lora-dir '~/my loras'\""),
        ("webui-user.sh", "export COMMANDLINE_ARGS=\"--lora-dir '../my loras'\""),
        ("webui-user.sh", "export COMMANDLINE_ARGS='--lora-dir \"$HOME/my loras\"'"),
    ],
)
def test_start_arguments_move_folders(name: str, line: str, home: Path) -> None:
    program(home / "webui")
    makers.write(home / "my loras" / "own.safetensors", b"l" * 3000)
    start(home, line.replace("{0}", f"{home}/my loras"), name)
    assert look(home)["my loras/own.safetensors"].detail == "LoRA"


def test_a_line_that_is_commented_out_moves_nothing(home: Path) -> None:
    program(home / "webui")
    makers.write(home / "loras" / "own.safetensors", b"l" * 3000)
    start(home, f'#export COMMANDLINE_ARGS="--lora-dir {home}/loras"')
    assert not makers.artifacts(home)


def test_a_data_folder_and_a_models_folder_elsewhere_are_read_with_it(home: Path) -> None:
    program(home / "webui")
    makers.write(home / "data/models/VAE/own.vae.pt", b"v" * 3000)
    makers.write(home / "data/outputs/1.png", b"i" * 3000)
    makers.write(home / "models/ESRGAN/4x.pth", b"u" * 3000)
    start(home, f'export COMMANDLINE_ARGS="--data-dir {home}/data --models-dir {home}/models"')
    found = look(home)
    assert {name: each.detail for name, each in found.items()} == {
        "data/models/VAE/own.vae.pt": "VAE",
        "data/outputs": "",
        "models/ESRGAN/4x.pth": "upscaler",
    }


def test_images_go_where_config_json_says(home: Path) -> None:
    program(home / "webui")
    makers.write(home / "pictures/1.png", b"i" * 3000)
    makers.write(home / "webui/outputs/txt2img-images/1.png", b"i" * 3000)
    settings = {"outdir_samples": f"{home}/pictures", "outdir_txt2img_samples": "outputs/txt2img-images"}
    makers.write(home / "webui/config.json", json.dumps(settings))
    assert set(look(home)) == {"pictures", "webui/outputs"}


def test_a_folder_that_was_not_walked_is_a_problem_with_what_to_type(home: Path, tmp_path: Path) -> None:
    program(home / "webui")
    makers.write(tmp_path / "drive" / "own.safetensors", b"l" * 3000)
    start(home, f'export COMMANDLINE_ARGS="--ckpt-dir {tmp_path}/drive"')
    found = api.survey({}, home, "linux", system=False)
    assert [(each.path, each.code) for each in found.problems] == [(f"{tmp_path}/drive", "outside-roots")]
    assert f"--root {tmp_path}/drive" in found.problems[0].hint
    more = api.survey({}, home, "linux", [tmp_path / "drive"], system=False)
    assert not more.problems
    assert [each.store for each in more.artifacts] == ["automatic1111"]


def test_start_arguments_that_cannot_be_split_are_a_problem(home: Path) -> None:
    program(home / "webui")
    start(home, 'export COMMANDLINE_ARGS="--ckpt-dir \'/models"')
    found = api.survey({}, home, "linux", system=False)
    assert [each.code for each in found.problems] == ["unreadable-settings"]


def test_forge_is_not_taken_for_it(home: Path) -> None:
    makers.write(program(home / "webui") / "modules_forge" / "main_thread.py", "")
    found = api.survey({}, home, "linux", system=False)
    assert {each.store.name for each in found.holdings if any(root.row for root in each.roots)} == {"forge"}


def test_an_install_whose_models_are_a_link_is_still_recognised(home: Path) -> None:
    make(home)
    (home / "webui/models").rename(home / "models")
    (home / "webui/models").symlink_to(home / "models")
    assert "models/Lora/style/ink.safetensors" in look(home)


def test_nothing_names_a_place_beforehand(home: Path) -> None:
    assert makers.places(automatic1111, home, COMMANDLINE_ARGS="--data-dir /x") == []
