"""DVC's caches: objects by their digest, which are the only copy of what was never pushed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.places import expand, from_variables
from modelyard.stores.settings import ini_settings
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "dvc",
    "DVC",
    (".dvc/config.local cache.dir", ".dvc/config cache.dir", "dvc/config cache.dir"),
    (".dvc",),
    kinds=("dataset",),
    recoveries=("none",),
)
OLD = re.compile(rb"[0-9a-f]{2}$")
PROJECT = b".dvc"
WORDS = "what was never pushed exists nowhere else"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The cache of all projects that the user's own settings name. Without one every project has its own."""
    folder = expand(env.get("XDG_CONFIG_HOME") or "~/.config", env, home)
    if platform == "macos":
        folder = str(home / "Library" / "Application Support")
    elif platform == "windows":
        folder = env.get("LOCALAPPDATA") or str(home / "AppData" / "Local")
    default = Root(f"{folder}/iterative/dvc" if platform == "windows" else f"{folder}/dvc", "default")
    path = f"{(from_variables(('DVC_GLOBAL_CONFIG_DIR',), env, home) or default).path}/config"
    moved = _moved(path)
    if isinstance(moved, Problem):
        yield moved
    elif moved:
        yield Root(moved, path)


def _moved(path: str) -> str | Problem | None:
    """Where a settings file says that the cache is; a relative path counts from the file."""
    settings = ini_settings(path)
    if isinstance(settings, Problem):
        return settings
    told = settings.get("cache", "dir", fallback="").strip("\"'")
    return os.path.normpath(os.path.join(os.path.dirname(path), told)) if told else None


def recognise(tree: Tree, row: int) -> int | None:
    """A project's `.dvc` folder with a cache inside, or with settings that may name one elsewhere."""
    return row if any(tree.child(row, each) is not None for each in (b"cache", b"config", b"config.local")) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a cache, and one for the objects that only DVC 2 knew. Projects may share a cache."""
    assert root.row is not None
    if tree.name(root.row) != PROJECT:
        return Reading(tuple(_cache(root, tree, root.row, tree.label(root.row))))
    found: list[Artifact] = []
    problems = []
    project, own = tree.parent(root.row), tree.child(root.row, b"cache")
    if own is not None and project is not None:
        found += _cache(root, tree, own, tree.label(project))
    for name in (b"config.local", b"config"):
        moved = _moved(shown(tree.path(root.row) + b"/" + name))
        if isinstance(moved, Problem):
            problems.append(moved)
        elif moved:
            there = tree.find(os.path.realpath(moved))
            if there is None and os.path.isdir(moved):
                message = f"{root.path} keeps its cache there, which was not looked at"
                problems.append(Problem(moved, "cache-elsewhere", message, f"look there too with --root {moved}"))
            elif there is not None and there != own:
                found += _cache(root, tree, there, tree.label(there))
            break
    return Reading(tuple(found), tuple(problems))


def _cache(root: Root, tree: Tree, cache: int, name: str) -> Iterator[Artifact]:
    old = tuple(row for each, row in sorted(tree.children(cache).items()) if OLD.match(each))
    now = tuple(row for row in tree.children(cache).values() if row not in old)
    if now:
        yield Artifact(f"dvc:{name}", "dataset", "dvc", f"cache of {name}", root.path, now, detail=WORDS)
    if old:
        title = f"cache of {name} in the layout of DVC 2"
        yield Artifact(f"dvc:{name}#old", "dataset", "dvc", title, root.path, old, detail=WORDS)
