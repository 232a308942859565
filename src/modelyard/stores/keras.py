"""Keras: weights and data sets it downloaded; its settings file stays out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

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
ARCHIVE, UNPACKED = b"_archive", b"_extracted"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`KERAS_HOME`, else `~/.keras`; where that cannot be written, a folder among the temporary files."""
    yield from_variables(("KERAS_HOME",), env, home) or Root(str(home / ".keras"), "default")
    if platform != "windows":
        yield Root("/tmp/.keras", "default where the home cannot be written", system=True)  # noqa: S108 - only read


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
        names = tree.children(folder)
        for each, row in sorted(names.items()):
            draft = child(STORE, root, tree, row, kind, "re-get", f"{name.decode('utf-8', 'replace')}/")
            packed = tree.is_folder(row) and _is_packed_too(each, names)
            yield replace(draft, recovery="re-make", detail="unpacked; its archive is still there") if packed else draft


def _is_packed_too(folder: bytes, names: Mapping[bytes, int]) -> bool:
    """`get_file` unpacks `NAME_archive` into `NAME`, and `STEM.tgz` into `STEM_extracted`."""
    stem = folder.removesuffix(UNPACKED)
    return folder + ARCHIVE in names or (stem != folder and any(name.startswith(stem + b".") for name in names))
