"""On whose ground a folder lies: what has a store of its own holds everything below it, whatever else it looks like."""

from __future__ import annotations

import re
from typing import Literal
from weakref import WeakKeyDictionary

from modelyard.walk.tree import Tree

Ground = Literal["environment", "package", "hub", "run"]
PACKAGES = (b"site-packages", b"dist-packages", b"node_modules")
ENVIRONMENT = (b"pyvenv.cfg", b"conda-meta")
WANDB_RUN = re.compile(rb"(?:offline-)?run-\d{8}_\d{6}-")
MLFLOW_RUN = re.compile(rb"[0-9a-f]{32}$|m-[0-9a-f]{32}$")
LIGHTNING_VERSION = re.compile(rb"version_\d+$")
LIGHTNING_LOGS, LIGHTNING_PARAMETERS = b"lightning_logs", b"hparams.yaml"
NOTES = (b".cache", b"huggingface", b"download")
NOWHERE: frozenset[Ground] = frozenset()
KNOWN: WeakKeyDictionary[Tree, dict[int, frozenset[Ground]]] = WeakKeyDictionary()


def grounds(tree: Tree, row: int | None) -> frozenset[Ground]:
    """What the folder and the folders above it are; looked at once a tree, however many ask."""
    known = KNOWN.setdefault(tree, {})
    way: list[int] = []
    while row is not None and row not in known:
        way.append(row)
        row = tree.parent(row)
    found = NOWHERE if row is None else known[row]
    for passed in reversed(way):
        found = known[passed] = found | _own(tree, passed)
    return found


def _own(tree: Tree, row: int) -> frozenset[Ground]:
    name, names = tree.name(row), tree.children(row)
    if name in PACKAGES:
        return frozenset(("package",))
    if any(mark in names for mark in ENVIRONMENT):
        return frozenset(("environment",))
    above = tree.parent(row)
    if name == b"snapshots" and above is not None and b"--" in tree.name(above):
        return frozenset(("hub",))
    if b".cache" in names and tree.child(row, *NOTES) is not None:
        return frozenset(("hub",))
    if is_lightning_version(tree, row):
        return frozenset(("run",))
    logged = b"artifacts" in names and (b"meta.yaml" in names or MLFLOW_RUN.match(name))
    return frozenset(("run",)) if logged or WANDB_RUN.match(name) else NOWHERE


def is_lightning_version(tree: Tree, row: int) -> bool:
    """A folder that Lightning numbered: `version_N` with its parameters, or below `lightning_logs`."""
    if not LIGHTNING_VERSION.match(tree.name(row)) or not tree.is_folder(row):
        return False
    above = tree.parent(row)
    return LIGHTNING_PARAMETERS in tree.children(row) or (above is not None and tree.name(above) == LIGHTNING_LOGS)
