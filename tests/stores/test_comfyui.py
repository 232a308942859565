"""ComfyUI: models wherever its settings take them from, what custom nodes fetched, images and workflows."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.stores import comfyui
from stores import test_automatic1111

BOMB = "a: &a {k: v}\n" + "".join(f"b{n}: &b{n} {{<<: [{', '.join([f'*{old}'] * 9)}]}}\n" for n, old in enumerate(
    ["a", *(f"b{n}" for n in range(11))]
))  # fmt: skip


def program(base: Path) -> Path:
    """The parts of a clone by which it is recognised."""
    for name in ("main.py", "folder_paths.py", "nodes.py", "custom_nodes/websocket_image_save.py"):
        makers.write(base / name, "code")
    makers.write(base / "models/checkpoints/put_checkpoints_here", "")
    return base


def make(home: Path) -> None:
    """An install with models, weights of a custom node, and folders of every sort."""
    base = program(home / "ComfyUI")
    makers.write(base / "models/checkpoints/flux.safetensors", b"w" * 5000)
    makers.write(base / "models/loras/ink.safetensors", b"l" * 3000)
    makers.write(base / "models/loras/ink.metadata.json", json.dumps({"model_name": "Ink", "civitai": {"id": 7}}))
    makers.write(base / "models/diffusers/tiny/model_index.json", "{}")
    makers.write(base / "models/diffusers/tiny/unet/diffusion.safetensors", b"u" * 3000)
    os.truncate(makers.write(base / "custom_nodes/face/ckpts/face.pth"), 1 << 20)
    makers.write(base / "custom_nodes/small/tiny.pth", b"f" * 100)
    for folder in ("output", "input", "user/default/workflows", "temp", "datasets/cats"):
        makers.write(base / folder / "one.png", b"i" * 2000)


def extra(home: Path, text: str) -> None:
    """Writes the settings that add folders."""
    makers.write(home / "ComfyUI/extra_model_paths.yaml", text)


def look(home: Path) -> dict[str, Artifact]:
    """What was found, by id without the store."""
    return {name.removeprefix("comfyui:"): each for name, each in makers.artifacts(home).items()}


def problems(home: Path) -> list[Problem]:
    """What could not be understood."""
    return list(api.survey({}, home, "linux", system=False).problems)


def test_models_and_folders(home: Path) -> None:
    make(home)
    found = look(home)
    assert {name.removeprefix("ComfyUI/"): (each.kind, each.recovery) for name, each in found.items()} == {
        "models/checkpoints/flux.safetensors": ("model", "none"),
        "models/loras/ink.safetensors": ("model", "re-get"),
        "models/diffusers/tiny": ("model", "none"),
        "custom_nodes/face/ckpts/face.pth": ("model", "none"),
        "output": ("other", "none"),
        "input": ("other", "none"),
        "user": ("other", "none"),
        "datasets": ("dataset", "none"),
        "temp": ("other", "re-make"),
    }


def test_extra_paths_with_sections_bases_and_several_lines(home: Path) -> None:
    program(home / "ComfyUI")
    for place in ("big/one/a.safetensors", "big/two/b.safetensors", "beside/c.safetensors", "ComfyUI/own/d.pth"):
        makers.write(home / place, b"w" * 3000)
    extra(
        home,
        "shared:\n  base_path: ~/big/\n  is_default: true\n  checkpoints: |\n    one\n    two/\n"
        f"other:\n  loras: {home}/beside\n  fancy_type: own\nempty:\n",
    )
    assert {name: each.detail for name, each in look(home).items()} == {
        "big/one/a.safetensors": "checkpoint",
        "big/two/b.safetensors": "checkpoint",
        "beside/c.safetensors": "LoRA",
        "ComfyUI/own/d.pth": "fancy_type",
    }


def test_the_folder_of_another_tool_is_counted_once_and_shown_by_both(home: Path) -> None:
    test_automatic1111.make(home)
    program(home / "ComfyUI")
    extra(home, "a111:\n  base_path: ../webui/\n  checkpoints: models/Stable-diffusion\n  loras: models/Lora\n")
    survey = api.survey({}, home, "linux", system=False)
    name = "webui/models/Stable-diffusion/merge.safetensors"
    both = {f"automatic1111:{name}", f"comfyui:{name}"}
    found = {each.id: each for each in survey.artifacts}
    assert both <= set(found)
    assert [found[each].sizes.freed for each in both] == [0, 0]
    assert survey.freed(both).freed >= 5000
    assert survey.overlap > 0
    assert survey.totals.allocated == api.survey({}, home / "webui", "linux", system=False).totals.allocated


def test_a_loop_of_links_between_two_tools_ends(home: Path) -> None:
    test_automatic1111.make(home)
    program(home / "ComfyUI")
    (home / "ComfyUI/models/loras").symlink_to(home / "webui/models/Lora")
    (home / "webui/models/Lora/comfy").symlink_to(home / "ComfyUI/models")
    (home / "ComfyUI/models/checkpoints/up").symlink_to(home / "ComfyUI/models")
    (home / "ComfyUI/models/vae").symlink_to(home)
    makers.write(home / "ComfyUI/models/checkpoints/own.safetensors", b"w" * 5000)
    found = makers.artifacts(home)
    for tool in ("comfyui", "automatic1111"):
        assert f"{tool}:webui/models/Lora/style/ink.safetensors" in found
        assert f"{tool}:ComfyUI/models/checkpoints/own.safetensors" in found
    assert not [name for name in found if "+2" in name]
    assert "comfyui:webui/outputs" not in found


def test_a_folder_outside_the_walk_is_a_problem_with_what_to_type(home: Path, tmp_path: Path) -> None:
    program(home / "ComfyUI")
    makers.write(tmp_path / "drive/a.safetensors", b"w" * 3000)
    extra(home, f"x:\n  checkpoints: {tmp_path}/drive\ny:\n  base_path: $MODELS\n  loras: here\nz:\n  vae: gone\n")
    found = problems(home)
    assert [(each.path, each.code) for each in found] == [
        (f"{tmp_path}/drive", "outside-roots"),
        (f"{home}/ComfyUI/$MODELS/here", "outside-roots"),
    ]
    assert f"--root {tmp_path}/drive" in found[0].hint


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "x: " + "[" * 50_000 + "]" * 50_000,
        "[" * 50_000,
        "a: [1",
        "- list",
        "x: words",
        "x: {base_path: [1, 2]}\ny: 7",
    ],
)
def test_a_bomb_or_broken_settings_are_a_problem_and_hide_nothing(text: str, home: Path) -> None:
    make(home)
    before = set(look(home))
    extra(home, text)
    assert set(look(home)) == before
    assert [each.code for each in problems(home)] in (["unreadable-settings"], [])
    assert problems(home) or "base_path" in text


def test_the_desktop_app_names_its_base_folder(home: Path, tmp_path: Path) -> None:
    base = tmp_path / "drive" / "ComfyUI"
    makers.write(base / "models/checkpoints/flux.safetensors", b"w" * 5000)
    makers.write(base / "user/default/flow.json", "{}")
    makers.write(base / "custom_nodes/x.py", "")
    makers.write(base / ".venv/pyvenv.cfg", "version = 3.12\n")
    makers.write(home / "more/own.safetensors", b"w" * 5000)
    config = home / ".config/ComfyUI"
    makers.write(
        config / "extra_models_config.yaml",
        f"comfyui:\n  base_path: {base}\n  checkpoints: models/checkpoints/\nmine:\n  base_path: ~/more\n  loras: .\n",
    )
    makers.write(config / "config.json", json.dumps({"basePath": str(base)}))
    assert makers.places(comfyui, home) == [
        ("~/.config/ComfyUI", "settings of the Desktop app"),
        (str(base), "~/.config/ComfyUI/config.json basePath".replace("~", str(home))),
        (str(base), f"{home}/.config/ComfyUI/extra_models_config.yaml comfyui base_path"),
        ("~/more", f"{home}/.config/ComfyUI/extra_models_config.yaml mine base_path"),
    ]
    found = makers.artifacts(home)
    assert {each.store for each in found.values()} == {"comfyui", "venv"}
    assert {name.rpartition("/")[2] for name in found} == {"flux.safetensors", "user", ".venv", "own.safetensors"}


def test_where_the_desktop_app_keeps_its_settings_on_other_systems(home: Path) -> None:
    assert makers.places(comfyui, home, "macos")[0][0] == "~/Library/Application Support/ComfyUI"
    assert makers.places(comfyui, home, "windows")[0][0] == "~/AppData/Roaming/ComfyUI"
    assert makers.places(comfyui, home, "windows", APPDATA="/r")[0][0] == "/r/ComfyUI"
    assert makers.places(comfyui, home, XDG_CONFIG_HOME="/c")[0][0] == "/c/ComfyUI"


def test_broken_settings_of_the_desktop_app_are_problems(home: Path) -> None:
    makers.write(home / ".config/ComfyUI/extra_models_config.yaml", "[" * 50_000)
    makers.write(home / ".config/ComfyUI/config.json", '{"basePath": 7}')
    assert {each.code for each in problems(home)} == {"unreadable-settings"}


def test_a_base_folder_without_the_program_is_recognised(home: Path) -> None:
    makers.write(home / "base/models/loras/ink.safetensors", b"l" * 3000)
    makers.write(home / "base/custom_nodes/.keep", "")
    makers.write(home / "base/output/1.png", b"i")
    assert set(look(home)) == {"base/models/loras/ink.safetensors", "base/output"}


def test_a_folder_of_custom_nodes_alone_is_nobodys(home: Path) -> None:
    makers.write(home / "project/custom_nodes/weights.pth", b"w" * (2 << 20))
    assert not makers.artifacts(home)
