"""What the Intel GPU driver compiled for OpenCL and Level Zero; it keeps itself below 1 GB."""

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
    "intel-neo",
    "Intel compute runtime",
    ("NEO_CACHE_DIR", "XDG_CACHE_HOME"),
    kinds=("compile cache",),
    recoveries=("re-make",),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`NEO_CACHE_DIR`, else below the cache folder."""
    cache, found_by = user_cache(env, home, platform)
    default = cache / "NEO" / "neo_compiler_cache" if platform == "windows" else cache / "neo_compiler_cache"
    yield from_variables(("NEO_CACHE_DIR",), env, home) or Root(str(default), found_by)


def read(root: Root, tree: Tree) -> Reading:
    """The cache as one artifact: single files must not go, the driver keeps count of their sizes."""
    return Reading((whole(STORE, root, "kernels", "compiled kernels", "compile cache", "re-make"),))
