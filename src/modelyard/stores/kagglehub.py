"""kagglehub: models, data sets, competitions and notebook outputs, each valid only with its completion marker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Kind, Platform, Reading, Root, Store
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "kagglehub",
    "kagglehub",
    ("KAGGLEHUB_CACHE",),
    kinds=("model", "dataset", "other"),
    recoveries=("re-get",),
)
ARCHIVE, MARKER = b".archive", b".complete"
SINGLE = b".complete"  # the folder with the markers of files that were fetched one by one
LEVELS: dict[bytes, tuple[int, Kind]] = {
    b"models": (5, "model"),
    b"datasets": (4, "dataset"),
    b"competitions": (1, "dataset"),
    b"notebooks": (5, "other"),
}


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`KAGGLEHUB_CACHE`, else `~/.cache/kagglehub`."""
    yield from_variables(("KAGGLEHUB_CACHE",), env, home) or Root(str(home / ".cache" / "kagglehub"), "default")


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a version, with the marker that makes kagglehub believe in it; without one it is unfinished."""
    assert root.row is not None
    found: list[Artifact] = []
    for top, (levels, kind) in LEVELS.items():
        row = tree.child(root.row, top)
        if row is not None:
            found += _versions(root, tree, row, shown(top), levels, kind)
    return Reading(tuple(found))


def _versions(root: Root, tree: Tree, row: int, name: str, levels: int, kind: Kind) -> Iterator[Artifact]:
    """Archives lie beside the folder of all versions, or where the version will be."""
    for each, inner in sorted(tree.children(row).items()):
        way = f"{name}/{shown(each)}"
        if each.endswith(ARCHIVE) and tree.is_file(inner):
            yield replace(_artifact(root, inner, way, kind), state="partial", detail="a download that was not unpacked")
        elif levels > 1 and tree.is_folder(inner) and each != SINGLE:
            yield from _versions(root, tree, inner, way, levels - 1, kind)
        elif levels == 1 and tree.is_folder(inner) and each != SINGLE:
            yield _version(root, tree, inner, way, kind)


def _artifact(root: Root, row: int, name: str, kind: Kind) -> Artifact:
    return Artifact(f"kagglehub:{name}", kind, "kagglehub", name, root.path, (row,), recovery="re-get")


def _version(root: Root, tree: Tree, row: int, name: str, kind: Kind) -> Artifact:
    """A notebook's marker is shared by all its versions: it proves nothing, and neither does its absence."""
    number, folder = tree.name(row), tree.parent(row)
    above = tree.parent(folder) if folder is not None and tree.name(folder) == b"versions" else folder
    marker = tree.child(above, number + MARKER)
    single = tree.child(above, SINGLE, number)
    known = marker is not None or single is not None or name.startswith("notebooks/")
    pins = tuple(each for each in (marker, single) if each is not None)
    words = "single files of it" if marker is None and single is not None else ""
    draft = replace(_artifact(root, row, name, kind), pins=pins, revision=shown(number), detail=words)
    return draft if known else replace(draft, state="partial")
