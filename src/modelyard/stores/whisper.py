"""openai-whisper's downloaded weights; an interrupted download already carries the final name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import children
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import xdg_cache
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "whisper",
    "openai-whisper",
    ("load_model(download_root=)", "XDG_CACHE_HOME"),
    kinds=("model",),
    recoveries=("re-get",),
)
UNSURE = "whether it is whole only its hash tells, which whisper checks on every load"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """Below the cache folder, on every platform."""
    cache, found_by = xdg_cache(env, home)
    yield Root(str(cache / "whisper"), found_by)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a file of weights."""
    return Reading(tuple(replace(each, detail=UNSURE) for each in children(STORE, root, tree, "model", "re-get")))
