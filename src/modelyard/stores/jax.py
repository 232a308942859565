"""JAX's compilation cache, which keeps its own times of last use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import LastUsed, Platform, Reading, Root, Store
from modelyard.stores.folders import whole
from modelyard.stores.places import from_variables
from modelyard.walk.tree import Tree

STORE = Store(
    "jax",
    "JAX",
    ("JAX_COMPILATION_CACHE_DIR", "jax_compilation_cache_dir"),
    ("*-atime", "*-cache"),
    kinds=("compile cache",),
    recoveries=("re-make",),
    evidence="the cache's own notes of access",
)
ENTRY = re.compile(rb"-[0-9a-f]{64}-cache$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """Nothing by default: the cache is where a variable or the program says."""
    named = from_variables(("JAX_COMPILATION_CACHE_DIR",), env, home)
    if named and "://" not in env["JAX_COMPILATION_CACHE_DIR"]:
        yield named


def recognise(tree: Tree, row: int) -> int | None:
    """An entry by the digest in its name, or with its time of last use beside it, which only limited caches keep."""
    folder, name = tree.parent(row), tree.name(row)
    if name.endswith(b"-cache"):
        return folder if ENTRY.search(name) and tree.is_file(row) else None
    return folder if tree.child(folder, name.removesuffix(b"-atime") + b"-cache") is not None else None


def read(root: Root, tree: Tree) -> Reading:
    """The cache as one artifact, used when the newest of its own times was written."""
    assert root.row is not None
    entries = tree.children(root.row)
    times = [seen.mtime for name, row in entries.items() if name.endswith(b"-atime") and (seen := tree.entry(row))]
    count = sum(name.endswith(b"-cache") for name in entries)
    draft = whole(STORE, root, "cache", "compiled programs", "compile cache", "re-make", f"{count} programs")
    used = LastUsed(max(times), "JAX noted its use", "high") if times else None
    return Reading((replace(draft, last_used=used),))
