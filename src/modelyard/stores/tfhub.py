"""TF Hub's modules, which lie among temporary files unless a variable moves them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import temporary, unfinished
from modelyard.stores.places import from_variables
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "tfhub",
    "TF Hub",
    ("TFHUB_CACHE_DIR", "TMPDIR"),
    ("*.descriptor.txt",),
    kinds=("model",),
    recoveries=("re-get",),
)
HANDLE = re.compile(rb"[0-9a-f]{40}$")
HASH, LOCK = 40, b".lock"
HALF = re.compile(rb"[0-9a-f]{40}\.[0-9a-f]{32}\.tmp$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The variable, else `tfhub_modules` in the folder for temporary files."""
    place = str(temporary(env, platform) / "tfhub_modules")
    yield from_variables(("TFHUB_CACHE_DIR",), env, home) or Root(place, "default", system=True)


def recognise(tree: Tree, row: int) -> int | None:
    """A descriptor beside the folder of the same name."""
    folder = tree.parent(row)
    return folder if tree.child(folder, tree.name(row).removesuffix(b".descriptor.txt")) is not None else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a module, by the address in its descriptor."""
    assert root.row is not None
    names = tree.children(root.row)
    halves = [row for name, row in sorted(names.items()) if HALF.match(name)]
    halves += [row for name, row in sorted(names.items()) if name.endswith(LOCK) and name[:HASH] not in names]
    return Reading((*_modules(root, tree), *unfinished(STORE, root, halves, "model")))


def _modules(root: Root, tree: Tree) -> Iterator[Artifact]:
    assert root.row is not None
    names = tree.children(root.row)
    for name, row in sorted(names.items()):
        if not HANDLE.match(name) or not tree.is_folder(row):
            continue
        beside = [names[name + end] for end in (b".descriptor.txt", b".lock") if name + end in names]
        text = tree.read(beside[0], 65536) if beside else b""
        told = "" if isinstance(text, Problem) else shown(text.partition(b"\n")[0]).removeprefix("Module: ").strip()
        title = told or shown(name)
        yield Artifact(
            f"tfhub:{shown(name)[:12]}", "model", "tfhub", title, root.path, (row,), tuple(beside), recovery="re-get"
        )
