"""Training checkpoints wherever they lie, told by what is inside them and grouped by the run that wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Artifact, LastUsed, Platform, Reading, Recovery, Root, State, Store
from modelyard.problem import Problem
from modelyard.stores.checkpoint_kinds import classify, is_lightning, step_of
from modelyard.walk.text import shown
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
    ),
)
ELSEWHERE = (b"snapshots", b"site-packages", b"node_modules")
NESTED = 4  # an Orbax step keeps its manifest three folders further down
STATE_CAP = 64 << 20  # the log history of a long run


class TrainerState(msgspec.Struct):
    """The part of trainer_state.json that tells where a run stands."""

    global_step: int = 0
    max_steps: int = 0
    best_global_step: int | None = None
    best_metric: float | None = None
    best_model_checkpoint: str | None = None


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: checkpoints lie where a script put them."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder that holds the checkpoint, which is its run. What a hub cache or a package holds is not one."""
    if tree.name(row).endswith(b".ckpt") and not tree.is_folder(row):
        return tree.parent(row) if is_lightning(tree, row) else None
    outermost = None
    at: int | None = row
    levels = 0
    while at is not None:
        if tree.name(at) in ELSEWHERE:
            return None
        if levels <= NESTED and classify(tree, at):  # parts of a checkpoint look like checkpoints themselves
            outermost = at
        at, levels = tree.parent(at), levels + 1
    return None if outermost is None else tree.parent(outermost)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a checkpoint. Of a Trainer's run the last and the best are told apart from the superseded."""
    assert root.row is not None
    found: list[tuple[int, str, State, int]] = []
    for name, row in tree.children(root.row).items():
        kind = classify(tree, row)
        if kind:
            found.append((row, kind.format, kind.state, step_of(name)))
        elif name.endswith(b".ckpt") and is_lightning(tree, row):
            found.append((row, "Lightning", "complete", step_of(name)))
    run = _Run(tree, root, sorted(found, key=lambda item: (item[3], tree.path(item[0]))))
    return Reading(tuple(run.artifacts()), tuple(run.problems))


class _Run:
    """The checkpoints of one folder."""

    def __init__(self, tree: Tree, root: Root, found: list[tuple[int, str, State, int]]) -> None:
        self.tree, self.root, self.found = tree, root, found
        self.problems: list[Problem] = []
        whole = [(step, row, name) for row, name, state, step in found if state == "complete"]
        self.last = max(whole, default=(0, -1, ""), key=lambda item: (item[0], self._mtime(item[1])))
        self.best = self._best(self.last[1]) if self.last[2] == "Trainer" else self._linked()

    def _mtime(self, row: int) -> int:
        seen = self.tree.entry(row)
        return seen.mtime if seen else 0

    def _best(self, last: int) -> int | None:
        """The row of the best checkpoint as the newest state names it; its path is of the machine that trained."""
        state_row = self.tree.child(last, b"trainer_state.json")
        if state_row is None:
            return None
        text = self.tree.read(state_row, STATE_CAP)
        if isinstance(text, Problem):
            self.problems.append(text)
            return None
        try:
            state = msgspec.json.decode(text, type=TrainerState)
        except msgspec.MsgspecError as error:
            self.problems.append(
                Problem(
                    shown(self.tree.path(state_row)),
                    "bad-state",
                    f"not a trainer state: {error}",
                    "the best checkpoint of this run is not known; keep them all",
                )
            )
            return None
        name = re.split(r"[/\\]", (state.best_model_checkpoint or "").rstrip("/\\"))[-1]
        if state.best_global_step:
            name = f"checkpoint-{state.best_global_step}"
        return self.tree.child(self.root.row, name.encode()) if name else None

    def _linked(self) -> int | None:
        """What `last.ckpt` or DeepSpeed's `latest` points to: it must stay as long as that name does."""
        link = self.tree.child(self.root.row, b"last.ckpt")
        if link is not None and self.tree.is_link(link):
            return self.tree.follow(link)
        latest = self.tree.child(self.root.row, b"latest")
        text = self.tree.read(latest, 4096) if latest is not None and self.tree.is_file(latest) else b""
        return self.tree.child(self.root.row, text.strip()) if isinstance(text, bytes) and text.strip() else None

    def artifacts(self) -> Iterator[Artifact]:
        """In the order of their steps."""
        for row, name, state, step in self.found:
            if self.tree.is_link(row):
                continue
            tags = tuple(word for word, at in (("last", self.last[1]), ("best", self.best)) if at == row)
            yield Artifact(
                f"checkpoint:{self.tree.label(row)}",
                "checkpoint",
                "checkpoint",
                self.tree.label(row),
                self.root.path,
                (row,),
                tags=tags,
                revision=str(step) if step >= 0 else "",
                group=self.root.path,
                state=state,
                recovery=self._recovery(name, state, tags),
                detail=f"{name}{', step ' + str(step) if step >= 0 else ''}",
                last_used=self._written(row),
            )

    def _written(self, row: int) -> LastUsed | None:
        state = self.tree.child(row, b"trainer_state.json")
        seen = self.tree.entry(row if state is None else state)
        return LastUsed(seen.mtime, "saved then", "medium") if seen else None

    def _recovery(self, name: str, state: State, tags: tuple[str, ...]) -> Recovery:
        """Only a Trainer's state tells which checkpoint is best; elsewhere any may be the one that matters."""
        known = self.best is not None or not self.problems
        return "superseded" if name == "Trainer" and known and not tags and state == "complete" else "none"
