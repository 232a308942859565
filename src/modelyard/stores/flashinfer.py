"""FlashInfer: kernels built here by version and architecture, and downloaded cubins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import children, whole
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "flashinfer",
    "FlashInfer",
    ("FLASHINFER_WORKSPACE_BASE", "FLASHINFER_CUBIN_DIR"),
    kinds=("compile cache",),
    recoveries=("re-get", "re-make"),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The workspace by its own variable, not by the cache folder's; cubins elsewhere where a variable says so."""
    base = from_variables(("FLASHINFER_WORKSPACE_BASE",), env, home)
    place = f"{base.path if base else home}/.cache/flashinfer"
    yield Root(place, base.found_by if base else "default")
    moved = from_variables(("FLASHINFER_CUBIN_DIR",), env, home)
    if moved:
        yield moved


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a version; versions that are no longer installed stay until somebody removes them."""
    if root.found_by == "FLASHINFER_CUBIN_DIR":
        return Reading((whole(STORE, root, "cubins", "downloaded kernels", "compile cache", "re-get"),))
    return Reading(tuple(_named(each) for each in children(STORE, root, tree, "compile cache", "re-make")))


def _named(each: Artifact) -> Artifact:
    cubins = each.id == "flashinfer:cubins"
    return replace(each, recovery="re-get", title="downloaded kernels") if cubins else each
