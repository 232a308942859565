"""Fooocus wherever it was installed: models, images, and the folders that its settings or variables name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.model_folder import every_kind, models
from modelyard.stores.model_install import Install, Known
from modelyard.stores.model_names import kind_of
from modelyard.stores.model_settings import home_of, placed, setting_json
from modelyard.stores.places import expand
from modelyard.stores.settings import json_settings
from modelyard.walk.tree import Tree

Names = str | list[str] | None
OUTPUTS = "path_outputs"


class Settings(msgspec.Struct):
    """The part of config.txt that moves folders; checkpoints and LoRAs may lie in several."""

    path_checkpoints: Names = None
    path_loras: Names = None
    path_embeddings: Names = None
    path_vae_approx: Names = None
    path_vae: Names = None
    path_upscale_models: Names = None
    path_inpaint: Names = None
    path_controlnet: Names = None
    path_clip_vision: Names = None
    path_fooocus_expansion: Names = None
    path_safety_checker: Names = None
    path_sam: Names = None
    path_outputs: Names = None


class Preset(msgspec.Struct):
    """The addresses in a preset that its models come from, by file name."""

    checkpoint_downloads: dict[str, str] = {}
    lora_downloads: dict[str, str] = {}
    embeddings_downloads: dict[str, str] = {}
    vae_downloads: dict[str, str] = {}


KEYS = Settings.__struct_fields__
STORE = Store(
    "fooocus",
    "Fooocus",
    (*KEYS, "config_path", "config.txt path_*"),
    ("fooocus_version.py",),
    kinds=("model", "other"),
    recoveries=("re-get", "none"),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The folders that variables name, which win over the settings; the install itself lies where it was put."""
    for key in KEYS:
        if env.get(key, "").strip():
            yield Root(expand(env[key], env, home), key)
    if env.get("config_path", "").strip():
        path = expand(env["config_path"], env, home)
        settings = json_settings(path, Settings)
        if isinstance(settings, Problem):
            yield settings
            return
        for key, text in _folders(settings):
            if os.path.isabs(text) and not env.get(key):
                yield Root(expand(text, env, home), f"{path} {key}")


def _folders(settings: Settings) -> Iterator[tuple[str, str]]:
    for key, value in msgspec.structs.asdict(settings).items():
        for text in value if isinstance(value, list) else [value] if value else []:
            yield key, text


def recognise(tree: Tree, row: int) -> int | None:
    """The program's version beside its models and modules."""
    base = tree.parent(row)
    names = tree.children(base) if base is not None else {}
    return base if {b"models", b"modules"} <= names.keys() else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model; the images. Presets tell where models that came with them are from."""
    install = Install(STORE, root, tree)
    key = root.found_by.rpartition(" ")[2]
    if key in KEYS:
        _one(install, key, install.base)
        return install.reading()
    install.known = Known(_sources(install))
    settings = setting_json(tree, install.child(b"config.txt"), Settings)
    if isinstance(settings, Problem):
        install.problems.append(settings)
        settings = Settings()
    base, home = os.fsdecode(tree.path(install.base)), home_of(tree)
    for name, text in _folders(settings):
        _one(install, name, install.at(placed(text, base, home), f"config.txt {name}"))
    every_kind(install, install.child(b"models"))
    install.whole(install.child(b"outputs"), "images that were made")
    return install.reading()


def _one(install: Install, key: str, row: int | None) -> None:
    if key == OUTPUTS:
        install.whole(row, "images that were made")
    else:
        models(install, row, kind_of(key.removeprefix("path_")))


def _sources(install: Install) -> dict[bytes, str]:
    """Where the models of the presets come from."""
    found: dict[bytes, str] = {}
    presets = install.child(b"presets")
    for name, row in sorted(install.tree.children(presets).items()) if presets is not None else ():
        preset = setting_json(install.tree, row, Preset) if name.endswith(b".json") else Preset()
        if isinstance(preset, Problem):
            install.problems.append(preset)
            continue
        for downloads in msgspec.structs.astuple(preset):
            found |= {os.fsencode(file): address for file, address in downloads.items()}
    return found
