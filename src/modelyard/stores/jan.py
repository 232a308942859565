"""Jan: models as folders with a description, and its engines; threads and assistants stay out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.json import parsed
from modelyard.stores.places import expand, from_variables
from modelyard.walk.read import read_setting
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store("jan", "Jan", ("JAN_DATA_FOLDER", "settings.json data_folder"), ("llamacpp",))
ENGINES = (b"llamacpp", b"mlx")


class Settings(msgspec.Struct):
    """The part of settings.json that moves the data."""

    data_folder: str = ""


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The variable, the settings, else the data folder below the app's own."""
    base = Path(expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home)) / "Jan"
    if platform == "macos":
        base = home / "Library" / "Application Support" / "Jan"
    elif platform == "windows":
        base = Path(env.get("APPDATA") or home / "AppData" / "Roaming") / "Jan"
    named = from_variables(("JAN_DATA_FOLDER",), env, home)
    settings = parsed(read_setting(f"{base}/settings.json") or "{}", Settings)
    if named:
        yield named
    if isinstance(settings, Settings) and settings.data_folder:
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
