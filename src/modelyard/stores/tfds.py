"""tensorflow_datasets: prepared data sets, the downloads they came from, and what a person put there by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import child, unfinished
from modelyard.stores.places import from_variables
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "tfds",
    "tensorflow_datasets",
    ("TFDS_DATA_DIR",),
    ("features.json",),
    kinds=("dataset",),
    recoveries=("re-get", "re-make", "none"),
)
HALF = re.compile(rb"incomplete\.|.*\.tmp\.[0-9a-f]{32}$", re.DOTALL)
DEPTH = 3  # name, configuration, version


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`TFDS_DATA_DIR`, else `~/tensorflow_datasets`."""
    yield from_variables(("TFDS_DATA_DIR",), env, home) or Root(str(home / "tensorflow_datasets"), "default")


def recognise(tree: Tree, row: int) -> int | None:
    """Features beside the description of a data set, two or three folders below the root; one with downloads."""
    at = tree.parent(row)
    if tree.child(at, b"dataset_info.json") is None:
        return None
    for _ in range(DEPTH):
        at = tree.parent(at) if at is not None else None
        if tree.child(at, b"downloads") is not None:
            return at
    return None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a data set and version; downloads apart, and those placed by hand never to be had again."""
    assert root.row is not None
    names = tree.children(root.row)
    halves = [row for name, row in sorted(names.items()) if HALF.match(name)]
    found = [
        each
        for name, row in sorted(names.items())
        if name != b"downloads" and row not in halves
        for each in _versions(root, tree, row, shown(name), DEPTH, halves)
    ]
    return Reading((*found, *_downloads(root, tree, halves), *unfinished(STORE, root, halves, "dataset")))


def _versions(root: Root, tree: Tree, row: int, name: str, depth: int, halves: list[int]) -> Iterator[Artifact]:
    """The versions of a data set; what was being prepared lies among them and joins the halves."""
    names = tree.children(row)
    if b"dataset_info.json" in names or b"features.json" in names:
        yield Artifact(f"tfds:{name}", "dataset", "tfds", name, root.path, (row,), recovery="re-make")
    elif depth:
        halves += [inner for each, inner in sorted(names.items()) if HALF.match(each)]
        for each, inner in sorted(names.items()):
            if inner not in halves:
                yield from _versions(root, tree, inner, f"{name}/{shown(each)}", depth - 1, halves)


def _downloads(root: Root, tree: Tree, halves: list[int]) -> Iterator[Artifact]:
    """The downloads of each data set; half ones lie among them and join the halves."""
    folder = tree.child(root.row, b"downloads")
    for name, row in sorted(tree.children(folder).items() if folder is not None else ()):
        draft = child(STORE, root, tree, row, "dataset", "re-get", "downloads/")
        by_hand = name == b"manual"
        if HALF.match(name):
            halves.append(row)
            continue
        if not by_hand and tree.is_folder(row):
            halves += [inner for each, inner in sorted(tree.children(row).items()) if HALF.match(each)]
        yield replace(draft, recovery="none", detail="placed here by hand") if by_hand else draft
