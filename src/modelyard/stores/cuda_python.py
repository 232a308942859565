"""What cuda.core compiled with NVRTC and linked, and the headers it unpacked for that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import children
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import user_cache
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "cuda-python",
    "CUDA Python",
    ("XDG_CACHE_HOME",),
    kinds=("compile cache",),
    recoveries=("re-make",),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """Below the cache folder; CUDA knows no macOS."""
    cache, found_by = user_cache(env, home, platform)
    yield Root(str(cache / "cuda-python"), found_by)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a part: compiled programs, unpacked headers."""
    return Reading(tuple(children(STORE, root, tree, "compile cache", "re-make")))
