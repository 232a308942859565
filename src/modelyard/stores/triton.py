"""Triton's kernel cache; what a user overrides by hand is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "triton",
    "Triton",
    ("TRITON_CACHE_DIR", "TRITON_HOME", "TRITON_DUMP_DIR"),
    kinds=("compile cache",),
    recoveries=("re-make",),
)
STALE = re.compile(rb"tmp\.pid_\d+_")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The cache, and the dumps that debugging leaves."""
    under = from_variables(("TRITON_HOME",), env, home)
    base, found_by = (under.path, "TRITON_HOME") if under else (str(home), "default")
    yield from_variables(("TRITON_CACHE_DIR",), env, home) or Root(f"{base}/.triton/cache", found_by)
    yield from_variables(("TRITON_DUMP_DIR",), env, home) or Root(f"{base}/.triton/dump", found_by)


def read(root: Root, tree: Tree) -> Reading:
    """The kernels as one artifact, and what processes that died left half written."""
    assert root.row is not None
    name = "dump" if root.found_by == "TRITON_DUMP_DIR" or root.path.endswith("/dump") else "cache"
    stale = tuple(row for each, row in sorted(tree.children(root.row).items()) if STALE.match(each))
    draft = Artifact(
        f"triton:{name}", "compile cache", "triton", f"kernel {name}", root.path, (root.row,), recovery="re-make"
    )
    left = replace(draft, id=f"triton:{name}#partial", title="half written kernels", blobs=stale, state="partial")
    return Reading((draft, left) if stale else (draft,))
