"""ComfyUI wherever it was installed, its Desktop app, and the folders that `extra_model_paths.yaml` adds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.model_folder import every_kind, models, weights
from modelyard.stores.model_install import Install
from modelyard.stores.model_names import kind_of
from modelyard.stores.model_settings import home_of, placed, setting_yaml
from modelyard.stores.places import expand
from modelyard.stores.settings import json_settings, yaml_settings
from modelyard.walk.tree import Tree

STORE = Store(
    "comfyui",
    "ComfyUI",
    ("extra_model_paths.yaml", "extra_models_config.yaml base_path", "config.json basePath"),
    ("folder_paths.py", "custom_nodes"),
    kinds=("model", "dataset", "other"),
    recoveries=("re-get", "re-make", "none"),
)
DESKTOP = ("extra_models_config.yaml", "extra_model_config.yaml")
EXTRA = (b"extra_model_paths.yaml", *(name.encode() for name in DESKTOP))
Sections = dict[str, dict[str, object] | None]
NO_MODELS = ("base_path", "is_default", "configs", "datasets", "fonts")


class Desktop(msgspec.Struct, rename="camel"):
    """The part of the Desktop app's settings that tells where it keeps models and images."""

    base_path: str | None = None


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The Desktop app's settings, and the folders that they name; any other install lies where it was cloned to."""
    config = Path(expand(env.get("XDG_CONFIG_HOME") or "~/.config", env, home)) / "ComfyUI"
    if platform == "macos":
        config = home / "Library" / "Application Support" / "ComfyUI"
    elif platform == "windows":
        config = Path(env.get("APPDATA") or home / "AppData" / "Roaming") / "ComfyUI"
    yield Root(str(config), "settings of the Desktop app", shared=True)
    settings = json_settings(f"{config}/config.json", Desktop)
    if isinstance(settings, Problem):
        yield settings
    elif settings.base_path:
        yield Root(expand(settings.base_path, env, home), f"{config}/config.json basePath")
    for name in DESKTOP:
        yield from _named(f"{config}/{name}", env, home)


def _named(path: str, env: Mapping[str, str], home: Path) -> Iterator[Place]:
    """The base folder of each section of a settings file."""
    found = yaml_settings(path, Sections)
    if isinstance(found, Problem):
        yield found
    else:
        for section, keys in found.items():
            base = (keys or {}).get("base_path")
            if isinstance(base, str) and base.strip():
                yield Root(expand(base, env, home), f"{path} {section} base_path", shared=section != "comfyui")


def recognise(tree: Tree, row: int) -> int | None:
    """The program with its models, or a base folder as `--base-directory` and the Desktop app fill it."""
    base = tree.parent(row)
    return base if base is not None and _is_base(tree, base) else None


def _is_base(tree: Tree, row: int) -> bool:
    names = tree.children(row).keys()
    program = {b"main.py", b"folder_paths.py"} <= names
    return b"models" in names and (program or (b"custom_nodes" in names and bool({b"user", b"output"} & names)))


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model, whatever folder the settings take it from; images, workflows and inputs; what is temporary.

    `--base-directory` and its kin are start arguments, which no file tells of.
    """
    install = Install(STORE, root, tree)
    if _is_base(tree, install.base):
        every_kind(install, install.child(b"models"))
        weights(install, install.child(b"custom_nodes"), "weights of a custom node")
        install.whole(install.child(b"output"), "images that were made")
        install.whole(install.child(b"input"), "images to start from")
        install.whole(install.child(b"user"), "workflows and settings")
        install.whole(install.child(b"datasets"), "data sets to train on", kind="dataset")
        install.whole(install.child(b"temp"), "previews", "re-make")
    for name in EXTRA:
        _extra(install, install.child(name))
    return install.reading()


def _extra(install: Install, row: int | None) -> None:
    """The folders of a settings file, each of one kind: relative to its section's base, or else to the file."""
    found = setting_yaml(install.tree, row, Sections)
    if isinstance(found, Problem):
        install.problems.append(found)
        return
    home = home_of(install.tree)
    here = os.path.dirname(os.fsdecode(install.tree.path(row))) if row is not None else ""
    for section, keys in found.items():
        base = (keys or {}).get("base_path")
        base = placed(base, here, home) if isinstance(base, str) else here
        for kind, text in (keys or {}).items():
            for line in text.splitlines() if isinstance(text, str) and kind not in NO_MODELS else ():
                if line.strip():
                    folder = install.at(placed(line, base, home), f"{section} {kind}")
                    read_as = weights if kind == "custom_nodes" else models
                    read_as(install, folder, kind_of(kind))
