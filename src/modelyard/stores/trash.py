"""What modelyard removed and nobody purged: it can be brought back, and takes its space until it is purged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

MARKER = ".modelyard-trash-*"
STORE = Store("trash", "modelyard's trash", (), (MARKER,), scattered=True, kinds=("other",), recoveries=("none",))
HINT = "`modelyard undo` brings it back, `modelyard purge` frees it"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: a trash lies on the disk whose things it holds, and is recognised there."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder that holds it."""
    return tree.parent(row)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a plan; what was removed while there was no room for a folder lies beside."""
    return Reading(tuple(_artifact(root, tree, row) for row in _held(root, tree)))


def _held(root: Root, tree: Tree) -> Iterable[int]:
    for name, row in sorted(tree.children(root.row).items() if root.row is not None else ()):
        if name.startswith(MARKER[:-1].encode()):
            yield from sorted(tree.children(row).values()) if tree.is_folder(row) else (row,)


def _artifact(root: Root, tree: Tree, row: int) -> Artifact:
    name = tree.label(row)
    title = f"removed by plan {shown(tree.name(row))}"
    return Artifact(f"trash:{name}", "other", "trash", title, root.path, (row,), detail=HINT)
