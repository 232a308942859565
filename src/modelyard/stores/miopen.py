"""MIOpen, AMD's counterpart of cuDNN: compiled kernels by version, and what its tuning found out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import children, whole
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "miopen",
    "MIOpen",
    ("MIOPEN_CUSTOM_CACHE_DIR", "MIOPEN_USER_DB_PATH"),
    kinds=("compile cache",),
    recoveries=("re-make",),
)
TUNED = "found by tuning, which takes long on large networks"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The kernels below the cache folder, the tuning results below the settings; each has a variable."""
    cache, tuned = home / ".cache" / "miopen", home / ".config" / "miopen"
    yield from_variables(("MIOPEN_CUSTOM_CACHE_DIR",), env, home) or Root(str(cache), "default")
    yield from_variables(("MIOPEN_USER_DB_PATH",), env, home) or Root(str(tuned), "default")


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a version of the kernels, one for the tuning results."""
    return Reading(tuple(_parts(root, tree)))


def _parts(root: Root, tree: Tree) -> Iterator[Artifact]:
    if root.found_by == "MIOPEN_USER_DB_PATH" or Path(root.path).parent.name == ".config":
        yield whole(STORE, root, "tuning", "tuning results", "compile cache", "re-make", TUNED)
    elif root.found_by == "MIOPEN_CUSTOM_CACHE_DIR":
        yield whole(STORE, root, "kernels", "compiled kernels", "compile cache", "re-make")
    else:
        for each in children(STORE, root, tree, "compile cache", "re-make"):
            yield replace(each, title=f"kernels of MIOpen {each.title}")
