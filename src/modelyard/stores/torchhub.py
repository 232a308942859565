"""PyTorch Hub: downloaded weights, and unpacked archives of code repositories."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "torchhub",
    "PyTorch Hub",
    ("torch.hub.set_dir()", "TORCH_HOME", "XDG_CACHE_HOME"),
    ("trusted_list",),
    kinds=("model", "other"),
    recoveries=("re-get", "none"),
)
HASHED = re.compile(rb"-(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\.")  # digits alone are a date as often as a hash
UNFINISHED = re.compile(rb"\.[0-9a-f]{32}\.partial$|^tmp[a-z0-9_]{8}$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`$TORCH_HOME/hub`, else below the cache folder, on every platform."""
    under = from_variables(("TORCH_HOME",), env, home)
    cache, found_by = xdg_cache(env, home)
    yield Root(f"{under.path}/hub", "TORCH_HOME") if under else Root(str(cache / "torch" / "hub"), found_by)


def recognise(tree: Tree, row: int) -> int | None:
    """A list of trusted repositories beside weights or code."""
    hub = tree.parent(row)
    if hub is None:
        return None
    names = tree.children(hub)
    return (
        hub
        if b"checkpoints" in names or any(tree.child(child, b"hubconf.py") is not None for child in names.values())
        else None
    )


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a file of weights and one a code repository; half files apart."""
    assert root.row is not None
    return Reading((*_weights(tree, root, tree.child(root.row, b"checkpoints")), *_repositories(tree, root)))


def _weights(tree: Tree, root: Root, folder: int | None) -> Iterator[Artifact]:
    partial = []
    for name, row in sorted(tree.children(folder).items() if folder is not None else ()):
        if UNFINISHED.search(name):
            partial.append(row)
            continue
        known = HASHED.search(name) is not None
        yield Artifact(
            f"torchhub:{shown(name)}",
            "model",
            "torchhub",
            shown(name),
            root.path,
            (row,),
            recovery="re-get" if known else "none",
            detail="" if known else "its name carries no hash: it may have been put here by hand",
        )
    if partial:
        yield Artifact(
            "torchhub:#partial",
            "model",
            "torchhub",
            "unfinished downloads",
            root.path,
            tuple(partial),
            state="partial",
            recovery="re-get",
        )


def _repositories(tree: Tree, root: Root) -> Iterator[Artifact]:
    assert root.row is not None
    for name, row in sorted(tree.children(root.row).items()):
        if tree.child(row, b"hubconf.py") is not None:
            yield Artifact(
                f"torchhub:{shown(name)}",
                "other",
                "torchhub",
                f"{shown(name)} (code)",
                root.path,
                (row,),
                recovery="re-get",
                detail="removing it makes torch.hub ask for trust again",
            )
        elif name.endswith(b".zip") and tree.is_file(row):
            yield Artifact(
                f"torchhub:{shown(name)}",
                "other",
                "torchhub",
                f"{shown(name)}, left over",
                root.path,
                (row,),
                state="partial",
                recovery="re-get",
            )
