"""StabilityMatrix: the models that all its packages share, its images, and downloads under way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.model_folder import every_kind
from modelyard.stores.model_install import Install
from modelyard.stores.model_settings import home_of, placed, setting_json
from modelyard.stores.places import expand
from modelyard.stores.settings import json_settings
from modelyard.walk.tree import Tree

MOVED = "settings.json ModelDirectoryOverride"
STORE = Store(
    "stabilitymatrix",
    "StabilityMatrix",
    ("STABILITY_MATRIX_APPDATAHOME", "library.json LibraryPath", MOVED),
    (".sm-portable", "Packages"),
    kinds=("model", "other"),
    recoveries=("re-get", "none"),
)


class Library(msgspec.Struct, rename="pascal"):
    """The part of library.json that names the library."""

    library_path: str | None = None


class Settings(msgspec.Struct, rename="pascal"):
    """The part of settings.json that moves the models."""

    model_directory_override: str | None = None


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The library that the app's own data names, and its models where they were moved; portable ones are recognised."""
    for data in _app_data(env, home, platform):
        library = json_settings(f"{data}/library.json", Library)
        if isinstance(library, Problem):
            yield library
        elif library.library_path:
            place = expand(library.library_path, env, home)
            yield Root(place, f"{data}/library.json LibraryPath")
            settings = json_settings(f"{place}/settings.json", Settings)
            if isinstance(settings, Problem):
                yield settings
            elif settings.model_directory_override:
                yield Root(placed(settings.model_directory_override, place, str(home)), f"{place}/{MOVED}")


def _app_data(env: Mapping[str, str], home: Path, platform: Platform) -> list[Path]:
    """Where .NET keeps an app's data: on a Mac that changed with .NET 8."""
    if env.get("STABILITY_MATRIX_APPDATAHOME", "").strip():
        return [Path(expand(env["STABILITY_MATRIX_APPDATAHOME"], env, home))]
    config = Path(expand(env.get("XDG_CONFIG_HOME") or "~/.config", env, home))
    if platform == "windows":
        config = Path(env.get("APPDATA") or home / "AppData" / "Roaming")
    places = [home / "Library" / "Application Support", config] if platform == "macos" else [config]
    return [place / "StabilityMatrix" for place in places]


def recognise(tree: Tree, row: int) -> int | None:
    """A library: its settings, models and packages; or the mark of a portable one."""
    base = tree.parent(row)
    names = tree.children(base) if base is not None else {}
    portable = b".sm-portable" in names and b"Models" in names
    return base if portable or {b"settings.json", b"Models", b"Packages"} <= names.keys() else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a shared model; the images; downloads under way. Each package is an install of its own."""
    install = Install(STORE, root, tree)
    if root.found_by.endswith(MOVED):
        every_kind(install, install.base)
        return install.reading()
    settings = setting_json(tree, install.child(b"settings.json"), Settings)
    if isinstance(settings, Problem):
        install.problems.append(settings)
        settings = Settings()
    if settings.model_directory_override:
        base, home = os.fsdecode(tree.path(install.base)), home_of(tree)
        every_kind(install, install.at(placed(settings.model_directory_override, base, home), MOVED))
    every_kind(install, install.child(b"Models"))
    install.whole(install.child(b"Images"), "images that were made")
    install.unfinished(install.child(b".downloads"))
    return install.reading()
