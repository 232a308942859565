"""Training checkpoints wherever they lie, told by what is inside them and grouped by the run that wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.checkpoint_kinds import CheckpointKind, classify, is_lightning, ranks, step_of
from modelyard.stores.checkpoint_run import Checkpoint, Run
from modelyard.stores.model_names import holds_kinds
from modelyard.walk.tree import Tree

STORE = Store(
    "checkpoint",
    "Training checkpoints",
    (),
    (
        "trainer_state.json",
        "checkpoint-*",
        "checkpoint_*",
        "tmp-checkpoint-*",
        "*.ckpt",
        ".metadata",
        "*.distcp",
        "*_model_states.pt",
        "*_optim_states.pt",
        "_CHECKPOINT_METADATA",
        "manifest.ocdbt",
        "step-*",
    ),
    scattered=True,
    kinds=("checkpoint",),
    recoveries=("superseded", "none"),
    evidence="when it was saved, and reading of its files",
)
ELSEWHERE = (b"site-packages", b"node_modules")
NESTED = 4  # an Orbax step keeps its manifest three folders further down


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: checkpoints lie where a script put them."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder that holds the checkpoint, which is its run. What a hub cache or a package holds is not one."""
    if tree.name(row).endswith(b".ckpt") and not tree.is_folder(row):
        return tree.parent(row) if is_lightning(tree, row) and not _of_an_install(tree, row) else None
    outermost = None
    at: int | None = row
    levels = 0
    while at is not None:
        if tree.name(at) in ELSEWHERE or _of_a_hub(tree, at):
            return None
        if levels <= NESTED and classify(tree, at):  # parts of a checkpoint look like checkpoints themselves
            outermost = at
        at, levels = tree.parent(at), levels + 1
    return None if outermost is None else tree.parent(outermost)


def _of_a_hub(tree: Tree, row: int) -> bool:
    """Whether the folder holds the revisions of a repository in a hub cache."""
    repo = tree.parent(row)
    return tree.name(row) == b"snapshots" and repo is not None and b"--" in tree.name(repo)


def _of_an_install(tree: Tree, row: int) -> bool:
    """Whether a `.ckpt` lies in the folder of models of a program for making images, where such files are models."""
    at = tree.parent(row)
    while at is not None:
        if tree.name(at).lower() == b"models" and holds_kinds(tree.children(at)):
            return True
        at = tree.parent(at)
    return False


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a checkpoint. Of a Trainer's run the last and the best are told apart from the superseded."""
    assert root.row is not None
    found = []
    for name, row in tree.children(root.row).items():
        kind = None if tree.is_link(row) else classify(tree, row)
        if kind is None and name.endswith(b".ckpt") and not tree.is_link(row) and is_lightning(tree, row):
            kind = CheckpointKind("Lightning", "complete")
        if kind:
            found.append(Checkpoint(row, kind, step_of(name)))
    run = Run(tree, root, sorted(_whole_ranks(tree, found), key=lambda each: (each.step, tree.path(each.row))))
    return Reading(tuple(run.artifacts()), tuple(run.problems))


def _whole_ranks(tree: Tree, found: list[Checkpoint]) -> list[Checkpoint]:
    """Those of DeepSpeed that have fewer rank files than another of their run are no whole ones."""
    sets = {each.row: ranks(tree, each.row) for each in found if each.kind.format == "DeepSpeed"}
    fewer = {row for row, names in sets.items() if any(names < other for other in sets.values())}
    partial = CheckpointKind("DeepSpeed", "partial")
    return [replace(each, kind=partial) if each.row in fewer else each for each in found]
