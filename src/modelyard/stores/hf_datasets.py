"""The Arrow cache of Hugging Face `datasets`: prepared data, what map and filter made of it, and raw downloads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, State, Store
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "hf-datasets",
    "Hugging Face datasets",
    ("HF_DATASETS_CACHE", "HF_HOME", "XDG_CACHE_HOME"),
    ("dataset_info.json",),
    kinds=("dataset",),
    recoveries=("re-get", "re-make"),
)
INFO = b"dataset_info.json"
LEVELS = 4  # name, configuration, version, fingerprint


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The cache, and the raw downloads where a variable keeps them elsewhere."""
    under = from_variables(("HF_HOME",), env, home)
    cache, found_by = xdg_cache(env, home)
    default = Root(str(cache / "huggingface" / "datasets"), found_by)
    moved = Root(f"{under.path}/datasets", "HF_HOME") if under else default
    yield from_variables(("HF_DATASETS_CACHE",), env, home) or moved
    yield from filter(None, [from_variables(("HF_DATASETS_DOWNLOADED_DATASETS_PATH",), env, home)])


def recognise(tree: Tree, row: int) -> int | None:
    """A description beside Arrow files, four folders below the root. What a person saved has a state file instead."""
    at = tree.parent(row)
    names = tree.children(at) if at is not None else {}
    if b"state.json" in names or not any(name.endswith(b".arrow") for name in names):
        return None
    for _ in range(LEVELS):
        at = tree.parent(at) if at is not None else None
    return at


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a prepared data set; the raw downloads as one."""
    assert root.row is not None
    if root.found_by == "HF_DATASETS_DOWNLOADED_DATASETS_PATH":
        return Reading((_downloads(root, root.row),))
    found: list[Artifact] = []
    for name, row in sorted(tree.children(root.row).items()):
        if name == b"downloads":
            found.append(_downloads(root, row))
        elif tree.is_folder(row):
            found += _prepared(root, tree, row, shown(name).replace("___", "/"), LEVELS - 1)
    return Reading(tuple(found))


def _downloads(root: Root, row: int) -> Artifact:
    title = "raw downloads"
    return Artifact(
        "hf-datasets:downloads", "dataset", "hf-datasets", title, root.path, (row,), recovery="re-get", detail=title
    )


def _prepared(root: Root, tree: Tree, row: int, name: str, depth: int) -> Iterator[Artifact]:
    for each, inner in sorted(tree.children(row).items()):
        if not tree.is_folder(inner):
            continue
        if depth > 1:
            yield from _prepared(root, tree, inner, f"{name}/{shown(each)}", depth - 1)
            continue
        names = tree.children(inner)
        whole = INFO in names and not each.endswith(b".incomplete")
        made = sum(other.startswith(b"cache-") and other.endswith(b".arrow") for other in names)
        state: State = "complete" if whole else "partial"
        yield Artifact(
            f"hf-datasets:{name}/{shown(each)[:12]}",
            "dataset",
            "hf-datasets",
            name,
            root.path,
            (inner,),
            revision=shown(each),
            state=state,
            recovery="re-make",
            detail=f"{made} results of map and filter" if made else "",
        )
