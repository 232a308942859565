"""EasyOCR: recognition and detection models, downloaded once and never removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import child, unfinished
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "easyocr", "EasyOCR", ("EASYOCR_MODULE_PATH", "MODULE_PATH"), kinds=("model",), recoveries=("re-get", "none")
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The variables, else a folder in the home, as easyocr/config.py reads them."""
    base = from_variables(("EASYOCR_MODULE_PATH", "MODULE_PATH"), env, home)
    yield base or Root(str(home / ".EasyOCR"), "default")


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model; what lies in `user_network` was trained by the user and exists nowhere else."""
    models, own = (tree.child(root.row, name) for name in (b"model", b"user_network"))
    downloads = sorted(tree.children(models).items()) if models is not None else []
    halves = [row for name, row in downloads if name.endswith(b".zip")]
    found = [child(STORE, root, tree, row, "model", "re-get") for _, row in downloads if row not in halves]
    trained = sorted(tree.children(own).values()) if own is not None else []
    found += [child(STORE, root, tree, row, "model", "none", "user_network/") for row in trained]
    return Reading((*found, *unfinished(STORE, root, halves, "model")))
