"""Forge, the fork of AUTOMATIC1111's web interface, which can borrow the folders of another install."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.model_folder import models
from modelyard.stores.model_install import Install
from modelyard.stores.model_settings import home_of, placed
from modelyard.stores.webui import VARIABLES, arguments, read_install
from modelyard.walk.tree import Tree

BORROWS = "--forge-ref-a1111-home"
STORE = Store(
    "forge",
    "Stable Diffusion WebUI Forge",
    (f"webui-user.sh COMMANDLINE_ARGS {BORROWS}", *VARIABLES, "config.json outdir_*"),
    ("modules_forge",),
    kinds=("model", "other"),
    recoveries=("re-get", "re-make", "none"),
)
BORROWED = {
    "models/Stable-diffusion": "checkpoint",
    "models/VAE": "VAE",
    "models/hypernetworks": "hypernetwork",
    "embeddings": "textual inversion",
    "models/lora": "LoRA",
    "models/Lora": "LoRA",  # it asks for the lower-case name, which is the same folder on most Macs and on Windows
    "models/ControlNet": "ControlNet",
    "extensions/sd-webui-controlnet/annotator/downloads": "ControlNet",
}


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: it runs where it was cloned to."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder of Forge's own modules beside the launcher."""
    base = tree.parent(row)
    names = tree.children(base) if base is not None else {}
    return base if {b"launch.py", b"modules"} <= names.keys() and tree.is_folder(row) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model, its own and borrowed ones. `models/diffusers` is a hub cache, a store of its own."""
    install = Install(STORE, root, tree)
    given = arguments(install)
    if BORROWS in given:
        lender = placed(given[BORROWS], os.fsdecode(tree.path(install.base)), home_of(tree))
        row = install.at(lender, f"COMMANDLINE_ARGS {BORROWS}")
        for folder, what in BORROWED.items():
            models(install, tree.child(row, *os.fsencode(folder).split(b"/")), what)
    read_install(install, given)
    return install.reading()
