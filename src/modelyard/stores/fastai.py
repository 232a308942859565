"""fastai: archives, what was unpacked from them, and models that may be one's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Kind, Place, Platform, Reading, Recovery, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import child
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
    recoveries=("re-get", "none"),
)
PARTS: dict[str, tuple[Kind, Recovery]] = {
    "archive": ("dataset", "re-get"),
    "data": ("dataset", "re-get"),
    "models": ("model", "none"),
}
KEYS = {"archive": "archive", "data": "data", "models": "model"}


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """One root a part: the settings file moves each by itself."""
    base = from_variables(("FASTAI_HOME",), env, home) or Root(str(home / ".fastai"), "default")
    settings = ini_settings(f"{base.path}/config.ini")
    if isinstance(settings, Problem):
        yield settings
    for part in PARTS:
        moved = part if isinstance(settings, Problem) else settings.get("DEFAULT", KEYS[part], fallback=part)
        yield Root(str(Path(base.path) / moved), base.found_by if moved == part else "config.ini")


def read(root: Root, tree: Tree) -> Reading:
    """One artifact an entry; exported learners among the models may exist nowhere else."""
    assert root.row is not None
    name = root.path.rstrip("/").rpartition("/")[2]
    kind, recovery = PARTS.get(name, ("other", "none"))
    rows = [row for _, row in sorted(tree.children(root.row).items())]
    return Reading(tuple(child(STORE, root, tree, row, kind, recovery, f"{name}/") for row in rows))
