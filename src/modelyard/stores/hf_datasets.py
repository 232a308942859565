"""The Arrow cache of Hugging Face `datasets`: prepared data, what map and filter made of it, and raw downloads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Recovery, Root, State, Store
from modelyard.stores.folders import temporary, unfinished
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.stores.surroundings import grounds
from modelyard.walk.read import names_in
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "hf-datasets",
    "Hugging Face datasets",
    (
        "HF_DATASETS_CACHE",
        "HF_DATASETS_DOWNLOADED_DATASETS_PATH",
        "HF_DATASETS_EXTRACTED_DATASETS_PATH",
        "HF_HOME",
        "XDG_CACHE_HOME",
        "TMPDIR",
    ),
    ("dataset_info.json",),
    kinds=("dataset",),
    recoveries=("re-get", "re-make", "none"),
)
INFO, SAVED, SPLITS = b"dataset_info.json", b"state.json", b"dataset_dict.json"
LEVELS = 4  # name, configuration, version, fingerprint
VERSION = re.compile(rb"\d+\.\d+\.\d+$")
HALF, LOCKS = b".incomplete", (b"_builder.lock", b"_info.lock", b".incomplete_info.lock")
RAW, UNPACKED, PASSING = "raw downloads", "unpacked downloads", "results of map and filter without a place"
PREFIX = "hf_datasets-"
BY_PERSON = "written by save_to_disk: it may exist nowhere else"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The cache, raw and unpacked downloads where variables keep them elsewhere, and what processes left in passing."""
    under = from_variables(("HF_HOME",), env, home)
    cache, found_by = xdg_cache(env, home)
    default = Root(str(cache / "huggingface" / "datasets"), found_by)
    moved = Root(f"{under.path}/datasets", "HF_HOME") if under else default
    yield from_variables(("HF_DATASETS_CACHE",), env, home) or moved
    yield from filter(None, (from_variables((name,), env, home) for name in STORE.variables[1:3]))
    folder = temporary(env, platform)
    for path in (folder / name for name in names_in(str(folder)) if name.startswith(PREFIX)):
        if os.access(path, os.R_OK | os.X_OK):  # the others are other people's
            yield Root(str(path), "temporary files", system=not path.is_relative_to(home))


def recognise(tree: Tree, row: int) -> int | None:
    """A description beside Arrow files, three or four folders below the root; what a person saved has a state too."""
    at = tree.parent(row)
    names = tree.children(at) if at is not None else {}
    if not any(name.endswith(b".arrow") for name in names):
        return None
    if SAVED in names:
        above = tree.parent(at) if at is not None else None
        saved = above if above is not None and SPLITS in tree.children(above) else at
        return None if grounds(tree, saved) else saved
    plain = at is not None and VERSION.match(tree.name(at)) is not None
    for _ in range(LEVELS - plain):
        at = tree.parent(at) if at is not None else None
    return at


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a prepared data set and one a saved one; raw and unpacked downloads as one each."""
    assert root.row is not None
    names = tree.children(root.row)
    if SAVED in names or SPLITS in names:
        return Reading((_artifact(root, tree.label(root.row), root.row, "none", BY_PERSON),))
    if root.found_by == "temporary files":
        return Reading((_artifact(root, tree.label(root.row), root.row, "re-make", PASSING),))
    if root.found_by == STORE.variables[1]:
        return Reading(tuple(_downloads(root, tree, root.row)))
    if root.found_by == STORE.variables[2]:
        return Reading((_artifact(root, "downloads/extracted", root.row, "re-make", UNPACKED),))
    found: list[Artifact] = []
    for name, row in sorted(names.items()):
        if name == b"downloads":
            found += _downloads(root, tree, row)
        elif tree.is_folder(row):
            found += _prepared(root, tree, row, shown(name).replace("___", "/"), LEVELS - 1)
    return Reading(tuple(found))


def _artifact(root: Root, name: str, row: int, recovery: Recovery, detail: str) -> Artifact:
    store = STORE.name
    return Artifact(f"{store}:{name}", "dataset", store, name, root.path, (row,), recovery=recovery, detail=detail)


def _downloads(root: Root, tree: Tree, row: int) -> Iterator[Artifact]:
    """What was fetched, with what was unpacked from it and what was cut short apart."""
    yield _artifact(root, "downloads", row, "re-get", RAW)
    if (unpacked := tree.child(row, b"extracted")) is not None and tree.is_folder(unpacked):
        yield _artifact(root, "downloads/extracted", unpacked, "re-make", UNPACKED)
    halves = [half for name, half in sorted(tree.children(row).items()) if name.endswith(HALF)]
    yield from unfinished(STORE, root, halves, "dataset")


def _prepared(root: Root, tree: Tree, row: int, name: str, depth: int) -> Iterator[Artifact]:
    """What lies in fingerprint folders, and what generators made, which lies in the folder of the version itself."""
    for each, inner in sorted(tree.children(row).items()):
        way = f"{name}/{shown(each)}"
        if not tree.is_folder(inner):
            continue
        if depth == 1:
            draft = _data_set(root, tree, inner, f"{name}/{shown(each)[:12]}")
            yield replace(draft, title=name, revision=shown(each))
        elif depth == LEVELS - 2 and any(data == INFO or data.endswith(b".arrow") for data in tree.children(inner)):
            yield _data_set(root, tree, inner, way)
        else:
            yield from _prepared(root, tree, inner, way, depth - 1)


def _data_set(root: Root, tree: Tree, row: int, label: str) -> Artifact:
    names = tree.children(row)
    made = sum(name.startswith(b"cache-") and name.endswith(b".arrow") for name in names)
    words = f"{made} results of map and filter" if made else ""
    state: State = "complete" if INFO in names and not tree.name(row).endswith(HALF) else "partial"
    return replace(_artifact(root, label, row, "re-make", words), state=state, pins=_locks(root, tree, row))


def _locks(root: Root, tree: Tree, row: int) -> tuple[int, ...]:
    """Lock files beside a prepared data set and at the root; they are left behind after use."""
    name, path = tree.name(row).removesuffix(HALF), tree.path(row).removesuffix(HALF)
    found = [tree.child(tree.parent(row), name + end) for end in LOCKS]
    found.append(tree.child(root.row, path.replace(b"/", b"_") + b".lock"))
    return tuple(lock for lock in found if lock is not None)
