"""AUTOMATIC1111's Stable Diffusion web interface, wherever it was installed: models, images, and what moves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.model_install import Install
from modelyard.stores.webui import VARIABLES, arguments, read_install
from modelyard.walk.tree import Tree

STORE = Store(
    "automatic1111",
    "AUTOMATIC1111 web UI",
    (*VARIABLES, "config.json outdir_*"),
    ("Stable-diffusion", "webui-user.sh"),
    kinds=("model", "other"),
    recoveries=("re-get", "re-make", "none"),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: it runs where it was cloned to."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The start script or the checkpoints, beside the program's launcher and modules, without what Forge adds."""
    base = tree.parent(row)
    if tree.name(row) == b"Stable-diffusion":
        base = tree.parent(base) if base is not None and tree.name(base) == b"models" else None
    names = tree.children(base) if base is not None else {}
    return base if {b"launch.py", b"modules", b"models"} <= names.keys() and b"modules_forge" not in names else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model with its sidecars, one a folder of images; its environment and code stay out."""
    install = Install(STORE, root, tree)
    read_install(install, arguments(install))
    return install.reading()
