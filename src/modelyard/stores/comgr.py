"""What the AMD code object manager compiled for HIP, hipRTC and OpenCL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import never as recognise
from modelyard.stores.folders import whole
from modelyard.stores.places import from_variables, user_cache
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "comgr",
    "AMD COMGR",
    ("AMD_COMGR_CACHE_DIR", "XDG_CACHE_HOME"),
    kinds=("compile cache",),
    recoveries=("re-make",),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`AMD_COMGR_CACHE_DIR`, else below the cache folder."""
    cache, found_by = user_cache(env, home, platform)
    yield from_variables(("AMD_COMGR_CACHE_DIR",), env, home) or Root(str(cache / "comgr"), found_by)


def read(root: Root, tree: Tree) -> Reading:
    """The cache as one artifact."""
    return Reading((whole(STORE, root, "kernels", "compiled code objects", "compile cache", "re-make"),))
