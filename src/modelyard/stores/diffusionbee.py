"""DiffusionBee: models it downloaded or converted, and images. It keeps them in `~/.diffusionbee`, on a Mac alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import never as recognise
from modelyard.stores.model_folder import files, models
from modelyard.stores.model_install import Install, Known
from modelyard.stores.model_settings import setting_json
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "diffusionbee",
    "DiffusionBee",
    (),
    kinds=("model", "other"),
    recoveries=("re-get", "none"),
)
GUIDES = "path of popular guides"


class Asset(msgspec.Struct):
    """What the app notes of a model that it downloaded to the end."""

    asset_path: str | None = None
    asset_path_raw: str | None = None
    url: str | None = None


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`~/.diffusionbee`, whatever guides say; and the place they name where anything is there."""
    yield Root(str(home / ".diffusionbee"), "default")
    named = home / "Library" / "Application Support" / "DiffusionBee"
    if os.path.isdir(named):
        yield Root(str(named), GUIDES, shared=True)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model: downloads come back, converted models may be the only copy; one a folder of images."""
    install = Install(STORE, root, tree)
    assets = setting_json(tree, install.child(b"downloaded_assets.json"), dict[str, Asset])
    if isinstance(assets, Problem):
        install.problems.append(assets)
        assets = {}
    sources = {_name(path): asset.url for asset in assets.values() for path in _paths(asset) if asset.url}
    listed = frozenset(_name(path) for asset in assets.values() for path in _paths(asset))
    install.known = Known(sources, listed if assets else None)
    models(install, install.child(b"downloaded_assets"), "download")
    install.known = Known(sources)
    for folder in (b"imported_models", b"custom_models"):
        models(install, install.child(folder), "converted checkpoint")
    files(install, install.base, "model")
    for folder in (b"images", b"inp_images"):
        install.whole(install.child(folder), "images that were made" if folder == b"images" else "images to start from")
    return install.reading()


def _paths(asset: Asset) -> list[str]:
    return [path for path in (asset.asset_path, asset.asset_path_raw) if path]


def _name(path: str) -> bytes:
    return os.fsencode(PurePosixPath(path).name)
