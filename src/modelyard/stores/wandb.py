"""Weights & Biases: runs, of which those never synced exist nowhere else, and the cache of artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.places import expand, from_variables, user_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "wandb",
    "Weights & Biases",
    ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"),
    ("wandb", ".wandb"),
    kinds=("run", "other"),
    recoveries=("re-get", "none"),
)
RUNS = (b"run-", b"offline-run-")
CACHE, STAGING = "the artifact cache", "the upload staging"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The artifact cache and the staging of uploads; runs lie where a script was started, or in `WANDB_DIR`."""
    cache, found_by = user_cache(env, home, platform)
    yield from_variables(("WANDB_CACHE_DIR",), env, home) or Root(str(cache / "wandb"), found_by)
    data = Path(expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home)) / "wandb"
    if platform == "macos":
        data = home / "Library" / "Application Support" / "wandb"
    elif platform == "windows":
        data = Path(env.get("LOCALAPPDATA") or home / "AppData" / "Local") / "wandb"
    yield from_variables(("WANDB_DATA_DIR",), env, home) or Root(str(data), "default")
    if named := from_variables(("WANDB_DIR",), env, home):
        yield Root(f"{named.path}/wandb", "WANDB_DIR")


def recognise(tree: Tree, row: int) -> int | None:
    """A folder of that name with runs in it."""
    return row if any(name.startswith(RUNS) for name in tree.children(row)) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a run, one for the cached artifacts, one for what waits to be uploaded."""
    assert root.row is not None
    runs = [(name, row) for name, row in sorted(tree.children(root.row).items()) if name.startswith(RUNS)]
    return Reading((*(_run(root, tree, name, row) for name, row in runs if tree.is_folder(row)), *_cached(root, tree)))


def _run(root: Root, tree: Tree, name: bytes, row: int) -> Artifact:
    synced = any(each.endswith(b".wandb.synced") for each in tree.children(row))
    lost = name.startswith(b"offline-") and not synced
    return Artifact(
        f"wandb:{tree.label(row)}",
        "run",
        "wandb",
        shown(name),
        root.path,
        (row,),
        group=root.path,
        recovery="none" if lost else "re-get",
        detail="never synced: it exists nowhere else" if lost else "its server has a copy, if it still does",
    )


def _cached(root: Root, tree: Tree) -> Iterator[Artifact]:
    objects, staging = tree.child(root.row, b"artifacts", b"obj"), tree.child(root.row, b"artifacts", b"staging")
    half = tree.child(root.row, b"artifacts", b"tmp")
    if objects is not None:
        yield Artifact("wandb:cache", "other", "wandb", CACHE, root.path, (objects,), recovery="re-get")
    if staging is not None:
        words = "not uploaded yet: it may exist nowhere else"
        yield Artifact("wandb:staging", "other", "wandb", STAGING, root.path, (staging,), detail=words)
    if half is not None and tree.children(half):
        yield Artifact("wandb:#partial", "other", "wandb", "half copies", root.path, (half,), state="partial")
