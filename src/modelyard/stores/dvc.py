"""DVC's caches: objects by their digest, which are the only copy of what was never pushed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.walk.tree import Tree

STORE = Store(
    "dvc",
    "DVC",
    (".dvc/config cache.dir",),
    (".dvc",),
    kinds=("dataset",),
    recoveries=("none",),
)
OLD = re.compile(rb"[0-9a-f]{2}$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: every project has its own."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """A project's `.dvc` folder with a cache inside."""
    return row if tree.child(row, b"cache") is not None else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a project's cache, and one for the objects that only DVC 2 knew."""
    cache = tree.child(root.row, b"cache")
    project = tree.parent(root.row) if root.row is not None else None
    if cache is None or project is None:
        return Reading()
    name = tree.label(project)
    words = "what was never pushed exists nowhere else"
    old = tuple(row for each, row in sorted(tree.children(cache).items()) if OLD.match(each))
    now = tuple(row for row in tree.children(cache).values() if row not in old)
    found = []
    if now:
        found.append(Artifact(f"dvc:{name}", "dataset", "dvc", f"cache of {name}", root.path, now, detail=words))
    if old:
        title = f"cache of {name} in the layout of DVC 2"
        found.append(Artifact(f"dvc:{name}#old", "dataset", "dvc", title, root.path, old, detail=words))
    return Reading(tuple(found))
