"""NLTK's data packages, kept packed and unpacked side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import child, unfinished
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import expand
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "nltk",
    "NLTK",
    ("NLTK_DATA",),
    kinds=("dataset",),
    recoveries=("re-get", "re-make"),
)
SYSTEM = ("/usr/share/nltk_data", "/usr/local/share/nltk_data", "/usr/lib/nltk_data", "/usr/local/lib/nltk_data")
HALF = (b".zip.tmp", b".zip.lock")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The folders of `NLTK_DATA`, the home's, and those of the machine: NLTK looks into all of them."""
    for part in env.get("NLTK_DATA", "").split(";" if platform == "windows" else ":"):
        if part.strip():
            yield Root(expand(part, env, home), "NLTK_DATA")
    yield Root(str(home / "nltk_data"), "default")
    if platform == "windows":
        yield Root(f"{env.get('APPDATA') or home / 'AppData' / 'Roaming'}/nltk_data", "default")
    else:
        yield from (Root(path, "default", system=True) for path in SYSTEM)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a package; its unpacked folder is one of its own, made again from the archive."""
    assert root.row is not None
    packages = [each for _, row in sorted(tree.children(root.row).items()) for each in _packages(root, tree, row)]
    halves = [
        row
        for folder in tree.children(root.row).values()
        for name, row in sorted(tree.children(folder).items())
        if name.endswith(HALF)
    ]
    return Reading((*packages, *unfinished(STORE, root, halves, "dataset")))


def _packages(root: Root, tree: Tree, category: int) -> Iterator[Artifact]:
    names = tree.children(category)
    for name, row in sorted(names.items()):
        if name.endswith(HALF):
            continue
        draft = child(STORE, root, tree, row, "dataset", "re-get", f"{shown(tree.name(category))}/")
        packed = tree.is_folder(row) and name + b".zip" in names
        yield replace(draft, recovery="re-make", detail="unpacked; its archive is still there") if packed else draft
