"""CuPy's compiled kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import never as recognise
from modelyard.stores.folders import whole
from modelyard.stores.places import from_variables
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "cupy",
    "CuPy",
    ("CUPY_CACHE_DIR",),
    kinds=("compile cache",),
    recoveries=("re-make",),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`CUPY_CACHE_DIR`, else `~/.cupy/kernel_cache`."""
    yield from_variables(("CUPY_CACHE_DIR",), env, home) or Root(str(home / ".cupy" / "kernel_cache"), "default")


def read(root: Root, tree: Tree) -> Reading:
    """The cache as one artifact."""
    return Reading((whole(STORE, root, "kernels", "compiled kernels", "compile cache", "re-make"),))
