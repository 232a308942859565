"""TensorBoard's event files, wherever a script wrote them; what else lies in the folder is somebody's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.surroundings import LIGHTNING_PARAMETERS, grounds
from modelyard.walk.tree import Tree

STORE = Store(
    "tensorboard",
    "TensorBoard",
    ("SummaryWriter(log_dir=)",),
    ("events.out.tfevents.*",),
    scattered=True,
    kinds=("run",),
    recoveries=("none",),
)
EVENTS = b"events.out.tfevents."
PROFILES = (b"plugins", b"profile")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: events lie where a script wrote them."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder above the run: runs lie side by side in it. Runs of other trackers hold their events themselves."""
    run = tree.parent(row)
    if run is None or not tree.is_file(row) or _of_another(tree, run):
        return None
    above = tree.parent(run)
    return run if above is None else above


def _of_another(tree: Tree, run: int) -> bool:
    """Whether the folder belongs to another tracker, an environment or a download, or Lightning logged into it."""
    return bool(grounds(tree, run)) or LIGHTNING_PARAMETERS in tree.children(run)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a folder with events."""
    assert root.row is not None
    rows = [root.row] if tree.parent(root.row) is None else []
    rows += [row for _, row in sorted(tree.children(root.row).items())]
    return Reading(tuple(each for row in rows for each in _run(root, tree, row)))


def _run(root: Root, tree: Tree, row: int) -> Iterator[Artifact]:
    names = tree.children(row)
    events = tuple(
        inner for name, inner in sorted(names.items()) if name.startswith(EVENTS) and not tree.is_link(inner)
    )
    if not events or _of_another(tree, row):
        return
    profiles = tree.child(row, *PROFILES)
    label = tree.label(row)
    yield Artifact(
        f"tensorboard:{label}",
        "run",
        "tensorboard",
        label,
        root.path,
        (*events, *(() if profiles is None else (profiles,))),
        group=root.path,
        detail=f"{len(events)} event files" if len(events) > 1 else "",
        facts=(("event files", str(len(events))), *((("profiles", "yes"),) if profiles is not None else ())),
    )
