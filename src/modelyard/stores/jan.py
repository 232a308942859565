"""Jan: models as folders with a description, and its engines; threads and assistants stay out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Artifact, Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.places import expand, from_variables
from modelyard.stores.settings import json_settings
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "jan",
    "Jan",
    ("JAN_DATA_FOLDER", "settings.json data_folder"),
    ("llamacpp",),
    kinds=("model", "other"),
    recoveries=("re-get",),
)
ENGINES = (b"llamacpp", b"mlx")


class Settings(msgspec.Struct):
    """The part of settings.json that moves the data."""

    data_folder: str = ""


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The variable, the settings, else the data folder below the app's own."""
    base = Path(expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home)) / "Jan"
    if platform == "macos":
        base = home / "Library" / "Application Support" / "Jan"
    elif platform == "windows":
        base = Path(env.get("APPDATA") or home / "AppData" / "Roaming") / "Jan"
    named = from_variables(("JAN_DATA_FOLDER",), env, home)
    if named:
        yield named
    settings = json_settings(f"{base}/settings.json", Settings)
    if isinstance(settings, Problem):
        yield settings
    elif settings.data_folder:
        yield Root(expand(settings.data_folder, env, home), f"{base}/settings.json")
    yield Root(str(base / "data"), "default")


def recognise(tree: Tree, row: int) -> int | None:
    """An engine's folder with models that have a description."""
    models = tree.child(row, b"models")
    return tree.parent(row) if models is not None and any(True for _ in _models(tree, models, "")) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model, one an engine and version."""
    return Reading(tuple(_things(root, tree)))


def _things(root: Root, tree: Tree) -> Iterator[Artifact]:
    for engine in ENGINES:
        models = tree.child(root.row, engine, b"models")
        for name, row in _models(tree, models, "") if models is not None else ():
            yield Artifact(f"jan:{name}", "model", "jan", name, root.path, (row,), recovery="re-get")
        backends = tree.child(root.row, engine, b"backends")
        for each, row in sorted(tree.children(backends).items() if backends is not None else ()):
            name = f"engine/{shown(each)}"
            yield Artifact(f"jan:{name}", "other", "jan", name, root.path, (row,), recovery="re-get")


def _models(tree: Tree, row: int, name: str) -> Iterator[tuple[str, int]]:
    """A folder is a model when it holds model.yml; ids may hold slashes."""
    for each, inner in sorted(tree.children(row).items()):
        way = f"{name}/{shown(each)}" if name else shown(each)
        if tree.child(inner, b"model.yml") is not None:
            yield way, inner
        elif tree.is_folder(inner):
            yield from _models(tree, inner, way)
