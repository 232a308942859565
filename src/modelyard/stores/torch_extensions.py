"""C++ and CUDA extensions that torch compiled when a program asked for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import children
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables, user_cache
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "torch-extensions",
    "torch extensions",
    ("TORCH_EXTENSIONS_DIR", "XDG_CACHE_HOME"),
    kinds=("compile cache",),
    recoveries=("re-make",),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The variable, else the platform's own cache folder."""
    cache, found_by = user_cache(env, home, platform)
    yield from_variables(("TORCH_EXTENSIONS_DIR",), env, home) or Root(str(cache / "torch_extensions"), found_by)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a Python and CUDA version."""
    return Reading(tuple(children(STORE, root, tree, "compile cache", "re-make")))
