"""Keras: weights and data sets it downloaded; its settings file stays out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from modelyard.inventory import Artifact, Kind, Platform, Reading, Root, Store
from modelyard.stores.folders import child
from modelyard.stores.places import from_variables
from modelyard.walk.tree import Tree

STORE = Store(
    "keras",
    "Keras",
    ("KERAS_HOME",),
    ("keras.json",),
    kinds=("model", "dataset"),
    recoveries=("re-get", "re-make"),
)
SETTINGS = b"keras.json"
UNPACKED = re.compile(rb"(_archive|_extracted)$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`KERAS_HOME`, else `~/.keras`."""
    yield from_variables(("KERAS_HOME",), env, home) or Root(str(home / ".keras"), "default")


def recognise(tree: Tree, row: int) -> int | None:
    """The settings file beside what was downloaded."""
    folder = tree.parent(row)
    names = tree.children(folder) if folder is not None else {}
    return folder if b"models" in names or b"datasets" in names else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a download, by the folder that `get_file` put it into."""
    return Reading(tuple(_downloads(root, tree)))


def _downloads(root: Root, tree: Tree) -> Iterator[Artifact]:
    assert root.row is not None
    for name, folder in sorted(tree.children(root.row).items()):
        if name == SETTINGS:
            continue
        kind: Kind = "model" if name == b"models" else "dataset" if name == b"datasets" else "other"
        if not tree.is_folder(folder):
            yield child(STORE, root, tree, folder, kind, "re-get")
            continue
        for each, row in sorted(tree.children(folder).items()):
            draft = child(STORE, root, tree, row, kind, "re-get", f"{name.decode('utf-8', 'replace')}/")
            stem = UNPACKED.sub(b"", each)
            packed = stem != each and any(other.startswith(stem) and other != each for other in tree.children(folder))
            yield replace(draft, recovery="re-make", detail="unpacked; its archive is still there") if packed else draft
