"""vLLM's caches: compiled graphs, model notes, downloaded assets. The weights lie in the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import children
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "vllm",
    "vLLM",
    ("VLLM_CACHE_ROOT", "XDG_CACHE_HOME"),
    kinds=("compile cache", "other"),
    recoveries=("re-get", "re-make"),
)
DOWNLOADED = ("vllm:assets",)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`VLLM_CACHE_ROOT`, else below the cache folder on every platform."""
    cache, found_by = xdg_cache(env, home)
    yield from_variables(("VLLM_CACHE_ROOT",), env, home) or Root(str(cache / "vllm"), found_by)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a part; assets come from the network, the rest is computed again."""
    found = children(STORE, root, tree, "compile cache", "re-make")
    return Reading(
        tuple(replace(each, kind="other", recovery="re-get") if each.id in DOWNLOADED else each for each in found)
    )
