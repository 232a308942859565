"""MLflow's file store: runs and the models they logged, which exist nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.places import expand
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "mlflow",
    "MLflow",
    ("MLFLOW_TRACKING_URI",),
    ("mlruns",),
    kinds=("run",),
    recoveries=("none",),
)
META, CAP = b"meta.yaml", 65536
TRASH = b".trash"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The folder that the tracking address names, where it names one; the others lie where a script was started."""
    address = env.get("MLFLOW_TRACKING_URI", "")
    if address.startswith("file:"):
        yield Root(expand(address.removeprefix("file:").removeprefix("//"), env, home), "MLFLOW_TRACKING_URI")
    elif address and "://" not in address:
        yield Root(expand(address, env, home), "MLFLOW_TRACKING_URI")


def recognise(tree: Tree, row: int) -> int | None:
    """A folder of that name with an experiment in it."""
    return row if any(tree.child(each, META) is not None for each in tree.children(row).values()) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a run; what was deleted waits in the trash until `mlflow gc`."""
    return Reading(tuple(_runs(root, tree)))


def _runs(root: Root, tree: Tree) -> Iterator[Artifact]:
    assert root.row is not None
    for experiment, row in sorted(tree.children(root.row).items()):
        if experiment == TRASH:
            words = "experiments that were deleted; `mlflow gc` removes them"
            title = "deleted experiments"
            yield Artifact(f"mlflow:{tree.label(row)}", "run", "mlflow", title, root.path, (row,), detail=words)
            continue
        for _, run in sorted(tree.children(row).items()):
            if tree.child(run, META) is not None:
                yield _run(root, tree, run)


def _run(root: Root, tree: Tree, row: int) -> Artifact:
    text = tree.read(tree.children(row)[META], CAP)
    lines = [] if isinstance(text, Problem) else text.splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (shown(line).partition(":") for line in lines)}
    label = tree.label(row)
    title = facts.get("run_name", "").strip("'\"") or label
    deleted = facts.get("lifecycle_stage") == "deleted"
    words = "deleted; `mlflow gc` removes it" if deleted else ""
    return Artifact(f"mlflow:{label}", "run", "mlflow", title, root.path, (row,), group=root.path, detail=words)
