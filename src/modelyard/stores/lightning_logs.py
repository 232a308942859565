"""Lightning's log folders: parameters, metrics and events; the checkpoints among them have a store of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.surroundings import LIGHTNING_LOGS, LIGHTNING_PARAMETERS, grounds, is_lightning_version
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "lightning",
    "Lightning logs",
    ("Trainer(default_root_dir=)",),
    ("hparams.yaml", "lightning_logs"),
    scattered=True,
    kinds=("run",),
    recoveries=("none",),
)
METRICS, CHECKPOINTS = b"metrics.csv", b"checkpoints"
EVENTS = b"events.out.tfevents."


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: logs lie where a script was started, or where it was told."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder that holds the versions, unless it belongs to an environment, a download or another tracker."""
    versions: int | None = row
    if tree.name(row) != LIGHTNING_LOGS:
        version = tree.parent(row)
        named = version is not None and tree.is_file(row) and _is_version(tree, version)
        versions = tree.parent(version) if named and version is not None else None
    elif not any(is_lightning_version(tree, each) for each in tree.children(row).values()):
        return None
    return None if versions is None or grounds(tree, versions) else versions


def _is_version(tree: Tree, row: int) -> bool:
    """A numbered folder, or one with a name of its own that holds parameters and what was logged with them."""
    names = tree.children(row)
    return is_lightning_version(tree, row) or (LIGHTNING_PARAMETERS in names and _logged(names))


def _logged(names: Iterable[bytes]) -> bool:
    return any(name == METRICS or name.startswith(EVENTS) for name in names)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a version."""
    assert root.row is not None
    versions = [row for _, row in sorted(tree.children(root.row).items()) if _is_version(tree, row)]
    found = (_version(root, tree, row) for row in versions)
    return Reading(tuple(each for each in found if each.rows))


def _version(root: Root, tree: Tree, row: int) -> Artifact:
    """Without its checkpoints: what two stores claim, removing from one of them would never free."""
    names = tree.children(row)
    saved = [name for name, inner in sorted(names.items()) if _holds_checkpoints(tree, name, inner)]
    words = ["" if _logged(names) or saved else "nothing was logged"]
    words += ["its checkpoints are listed by themselves"] if saved else []
    events = sum(name.startswith(EVENTS) for name in names)
    facts = [("metrics", shown(METRICS))] if METRICS in names else []
    facts += [("TensorBoard event files", str(events))] if events else []
    label = tree.label(row)
    return Artifact(
        f"lightning:{label}",
        "run",
        "lightning",
        label,
        root.path,
        _own(tree, row, saved),
        group=root.path,
        state="complete" if _logged(names) or saved else "partial",
        detail=", ".join(filter(None, words)),
        facts=tuple(facts),
    )


def _own(tree: Tree, row: int, saved: Collection[bytes]) -> tuple[int, ...]:
    """The whole folder where nothing else needs a part of it; in a folder with a name of its own only the logs."""
    names = tree.children(row)
    if not is_lightning_version(tree, row):
        return tuple(inner for name, inner in sorted(names.items()) if name == LIGHTNING_PARAMETERS or _logged((name,)))
    return tuple(inner for name, inner in sorted(names.items()) if name not in saved) if saved else (row,)


def _holds_checkpoints(tree: Tree, name: bytes, row: int) -> bool:
    return name.endswith(b".ckpt") or (name == CHECKPOINTS and len(tree.children(row)) > 0)
