"""fastai and the downloader beneath it: archives, what was unpacked from them, and models that may be one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Kind, Place, Platform, Reading, Recovery, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import child, unfinished
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables
from modelyard.stores.settings import ini_settings
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "fastai",
    "fastai",
    ("FASTAI_HOME", "config.ini archive, data, model"),
    kinds=("model", "dataset"),
    recoveries=("re-get", "re-make", "none"),
)
PARTS: dict[str, tuple[Kind, Recovery]] = {
    "archive": ("dataset", "re-get"),
    "data": ("dataset", "re-get"),
    "models": ("model", "none"),
}
KEYS = {"archive": "archive", "data": "data", "models": "model"}
SETTINGS = "config.ini "
HALF, LOCK = b".part", b".lock"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """One root a part: the settings file moves each by itself. fastdownload alone has a folder of its own."""
    yield from _parts(from_variables(("FASTAI_HOME",), env, home) or Root(str(home / ".fastai"), "default"), PARTS)
    yield from _parts(Root(str(home / ".fastdownload"), "default"), ("archive", "data"))


def _parts(base: Root, parts: Iterable[str]) -> Iterator[Place]:
    settings = ini_settings(f"{base.path}/config.ini")
    if isinstance(settings, Problem):
        yield settings
    for part in parts:
        moved = part if isinstance(settings, Problem) else settings.get("DEFAULT", KEYS[part], fallback=part)
        yield Root(str(Path(base.path) / moved), base.found_by if moved == part else SETTINGS + part)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact an entry; exported learners among the models may exist nowhere else."""
    assert root.row is not None
    part = root.found_by.removeprefix(SETTINGS)
    name = part if part in PARTS else root.path.rstrip("/").rpartition("/")[2]
    kind, recovery = PARTS[name]
    entries = sorted(tree.children(root.row).items())
    halves = [row for each, row in entries if each.endswith(HALF)]
    rows = [row for each, row in entries if not each.endswith((HALF, LOCK))]
    found = [child(STORE, root, tree, row, kind, recovery, f"{name}/") for row in rows]
    if name == "data":
        found = [_unpacked(tree, root.row, each) for each in found]
    return Reading((*found, *unfinished(STORE, root, halves, "dataset")))


def _unpacked(tree: Tree, data: int, draft: Artifact) -> Artifact:
    """What an archive in the folder beside it still holds can be unpacked again."""
    archive, name = tree.child(tree.parent(data), b"archive"), tree.name(draft.blobs[0])
    packed = any(
        each.startswith(name + b".") and not each.endswith((HALF, LOCK))
        for each in (tree.children(archive) if archive is not None else ())
    )
    return replace(draft, recovery="re-make", detail="unpacked; its archive is still there") if packed else draft
