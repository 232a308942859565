"""The cache of hf_xet: shards for uploads, uploads under way, logs, and the chunk cache of old versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Recovery, Root, State, Store
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "hf-xet",
    "Hugging Face Xet",
    ("HF_XET_CACHE", "HF_HOME", "XDG_CACHE_HOME"),
    ("shard-cache", "chunk-cache"),
    kinds=("other",),
    recoveries=("re-get", "re-make", "none"),
)
PARTS: dict[bytes, tuple[Recovery, State, str]] = {
    b"shard-cache": ("re-make", "complete", "spares uploads what is there already"),
    b"chunk-cache": ("re-get", "orphan", "hf_xet 1.3 and later never reads it"),
    b"staging": ("none", "complete", "uploads that may be under way"),
}
ENDPOINT = re.compile(rb".+-[0-9A-Za-z_-]{16}$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`HF_XET_CACHE`, else beside the hub cache."""
    under = from_variables(("HF_HOME",), env, home)
    cache, found_by = xdg_cache(env, home)
    default = Root(f"{under.path}/xet", "HF_HOME") if under else Root(str(cache / "huggingface" / "xet"), found_by)
    yield from_variables(("HF_XET_CACHE",), env, home) or default


def recognise(tree: Tree, row: int) -> int | None:
    """The folder above that of an endpoint, whose name ends with a hash of its address."""
    endpoint = tree.parent(row)
    return tree.parent(endpoint) if endpoint is not None and ENDPOINT.match(tree.name(endpoint)) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a part and endpoint."""
    return Reading(tuple(_parts(root, tree)))


def _parts(root: Root, tree: Tree) -> Iterator[Artifact]:
    assert root.row is not None
    for name, row in sorted(tree.children(root.row).items()):
        if name == b"logs":
            yield Artifact("hf-xet:logs", "other", "hf-xet", "logs", root.path, (row,), recovery="re-make")
        for part, (recovery, state, detail) in PARTS.items():
            inner = tree.child(row, part)
            if inner is not None:
                title = f"{shown(part)} of {shown(name)}"
                yield Artifact(
                    f"hf-xet:{shown(name)}/{shown(part)}",
                    "other",
                    "hf-xet",
                    title,
                    root.path,
                    (inner,),
                    state=state,
                    recovery=recovery,
                    detail=detail,
                )
