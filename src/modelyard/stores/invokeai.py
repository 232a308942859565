"""InvokeAI: models by its database, orphans, what is only half installed, and images."""

from __future__ import annotations

import os

from modelyard.inventory import Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.invokeai_database import Record, records
from modelyard.stores.invokeai_settings import FOLDERS, SETTINGS, Keys, Runtime, folders, roots
from modelyard.stores.model_card import Card
from modelyard.stores.model_folder import every_kind, weights
from modelyard.stores.model_install import Install
from modelyard.stores.model_names import kind_of
from modelyard.stores.model_settings import home_of, setting_yaml
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

DATABASE = "invokeai.db"
STORE = Store(
    "invokeai",
    "InvokeAI",
    (
        "INVOKEAI_ROOT",
        "VIRTUAL_ENV",
        *(f"INVOKEAI_{key.upper()}" for key in FOLDERS),
        *(f"{SETTINGS} {key}" for key in FOLDERS),
    ),
    (SETTINGS, DATABASE),
    kinds=("model", "other"),
    recoveries=("re-get", "none"),
)
HALF_INSTALLED = (b"tmpinstall_", b".convert_tmp")


def recognise(tree: Tree, row: int) -> int | None:
    """The settings beside the database, or the database in its folder."""
    base = tree.parent(row)
    if tree.name(row) == DATABASE.encode():
        base = tree.parent(base) if base is not None and tree.name(base) == b"databases" else None
    known = base is not None and b"models" in tree.children(base)
    return base if known and tree.child(base, b"databases", DATABASE.encode()) is not None else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model; what the database does not name is an orphan; keys and settings stay out.

    A folder that was moved out of the runtime folder is read together with that.
    """
    install = Install(STORE, root, tree)
    settings = install.child(SETTINGS.encode())
    if isinstance(root, Runtime):
        named = dict(root.folders)
    elif settings is None and install.child(b"databases", DATABASE.encode()) is None:
        return Reading()
    else:
        keys = setting_yaml(tree, settings, Keys)
        install.problems += [keys] if isinstance(keys, Problem) else []
        base, home = os.fsdecode(tree.path(install.base)), home_of(tree)
        named = folders({} if isinstance(keys, Problem) else keys, base, home, {})
    place = {key: install.at(path, key) for key, path in named.items()}
    install.whole(place["download_cache_dir"], "models fetched on demand", "re-get", "model")
    whole = _registered(install, place["models_dir"], named["models_dir"], place["db_dir"])
    for name, row in sorted(tree.children(place["models_dir"]).items()) if place["models_dir"] is not None else ():
        if name.startswith(HALF_INSTALLED) and install.take(row):
            install.add(row, "model", (row,), state="partial")
    install.state = "orphan" if whole else "complete"
    every_kind(install, place["models_dir"])
    install.whole(place["db_dir"], "databases of images and models")
    install.whole(place["outputs_dir"], "images that were made")
    weights(install, place["custom_nodes_dir"], "weights of a custom node")
    return install.reading()


def _registered(install: Install, folder: int | None, path: str, databases: int | None) -> bool:
    """The models that the database names; whether it could be read whole, so that the others are orphans.

    What waits in its write-ahead log is not seen, and might be the name of any of them.
    """
    row = install.tree.child(databases, DATABASE.encode())
    found = records(install.tree, row) if row is not None else []
    if isinstance(found, Problem):
        install.problems.append(found)
        return False
    for record in found:
        _record(install, record, folder, path)
    log = install.tree.child(databases, f"{DATABASE}-wal".encode())
    waiting = install.tree.entry(log) if log is not None else None
    return row is not None and not (waiting and waiting.size)


def _record(install: Install, record: Record, folder: int | None, path: str) -> None:
    """A model of the database: in a folder of its own by its key, as older versions laid it out, or left in place."""
    place = os.path.normpath(os.path.join(path, (record.path or "").replace("\0", "")))
    row = install.at(place, f"model {shown(record.name)}")
    own = install.tree.child(folder, os.fsencode(record.key))
    if own is not None and os.path.dirname(place) == os.path.join(path, record.key):
        row = own
    told = Card(shown(record.name), shown(record.base), record.address)
    label = shown("/".join(part for part in (record.base, record.type, record.name or record.key) if part))
    what = kind_of(record.type or "model")
    if row is None:
        gone = not os.path.lexists(place)
        install.model(label, what if gone else f"{what}, outside", told, ((), ()), "dangling" if gone else "complete")
    elif row != folder and install.take(row):
        install.model(label, what, told, ((row,), ()), "complete")
