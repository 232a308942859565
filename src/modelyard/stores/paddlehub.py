"""PaddleHub: modules, data sets and caches; its settings stay out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Kind, Platform, Reading, Root, Store
from modelyard.stores.folders import child
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "paddlehub",
    "PaddleHub",
    ("HUB_HOME",),
    kinds=("model", "dataset", "other"),
    recoveries=("re-get",),
)
PARTS: dict[bytes, Kind] = {b"modules": "model", b"dataset": "dataset", b"cache": "other", b"tmp": "other"}


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`HUB_HOME`, else `~/.paddlehub`."""
    yield from_variables(("HUB_HOME",), env, home) or Root(str(home / ".paddlehub"), "default")


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a module or data set."""
    return Reading(tuple(_things(root, tree)))


def _things(root: Root, tree: Tree) -> Iterator[Artifact]:
    for part, kind in PARTS.items():
        folder = tree.child(root.row, part)
        for _, row in sorted(tree.children(folder).items() if folder is not None else ()):
            yield child(STORE, root, tree, row, kind, "re-get", f"{shown(part)}/")
