"""What libraries keep beside the Hugging Face hub cache: files of their own making, by library and namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import child
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "hf-assets",
    "Hugging Face assets",
    ("HF_ASSETS_CACHE", "HUGGINGFACE_ASSETS_CACHE", "HF_HOME", "XDG_CACHE_HOME"),
    kinds=("other",),
    recoveries=("re-make",),
)
LEVELS = 3  # library, namespace, subfolder


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """One of its variables, else beside the hub cache."""
    under = from_variables(("HF_HOME",), env, home)
    cache, found_by = xdg_cache(env, home)
    default = Root(f"{under.path}/assets", "HF_HOME") if under else Root(f"{cache}/huggingface/assets", found_by)
    yield from_variables(STORE.variables[:2], env, home) or default


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a subfolder of a library."""
    assert root.row is not None
    return Reading(tuple(_assets(root, tree, root.row, "", LEVELS)))


def _assets(root: Root, tree: Tree, row: int, way: str, levels: int) -> Iterator[Artifact]:
    for name, inner in sorted(tree.children(row).items()):
        if levels > 1 and tree.is_folder(inner):
            yield from _assets(root, tree, inner, f"{way}{shown(name)}/", levels - 1)
        else:
            yield child(STORE, root, tree, inner, "other", "re-make", way)
