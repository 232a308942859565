"""One run's checkpoints: which is the last, which is the best, and which a later or better one supersedes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import msgspec
from msgspec import Struct

from modelyard.inventory import Artifact, LastUsed, Recovery, Root
from modelyard.problem import Problem
from modelyard.stores.checkpoint_kinds import CheckpointKind
from modelyard.stores.checkpoint_own import FORMAT, STATE, judge
from modelyard.stores.json import parsed
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STATE_CAP = 64 << 20  # the log history of a long run
NOTE_CAP = 4096
NOTES = (b"latest", b"latest_universal", b"latest_checkpointed_iteration.txt")
"""DeepSpeed's and Megatron's."""
SAME_TIME = 10**9  # nanoseconds; the owner's own rotation takes times this close for equal
KEEP = "which checkpoint of this run is the best is not known; keep them all"


class TrainerState(msgspec.Struct):
    """The part of trainer_state.json that tells where a run stands."""

    global_step: int | None = 0
    max_steps: int | None = 0
    best_global_step: int | None = None
    best_metric: float | None = None
    best_model_checkpoint: str | None = None


def best_name(state: TrainerState) -> str:
    """The folder that a state calls the best, empty where it calls none: by name, its path is of where it trained."""
    name = re.split(r"[/\\]", (state.best_model_checkpoint or "").rstrip("/\\"))[-1]
    return f"checkpoint-{state.best_global_step}" if state.best_global_step else name


class Checkpoint(Struct, frozen=True):
    """A checkpoint's place, kind and step."""

    row: int
    kind: CheckpointKind
    step: int


class Run:
    """The checkpoints of one folder, in the order of their steps."""

    def __init__(self, tree: Tree, root: Root, found: list[Checkpoint]) -> None:
        self.tree, self.root, self.found = tree, root, found
        self.problems: list[Problem] = []
        whole = [each for each in found if each.kind.state == "complete"]
        self.last = max(whole, default=None, key=lambda each: (each.step, self._mtime(each.row)))
        self.names = self._names_that_point()
        self.best: int | None = None
        self.judged = False
        """Whether the run itself says which checkpoint is best, or that none is."""
        if self.last and self.last.kind.format == "Trainer":
            self._judge(self.last.row)
            self.judged = self.judged and self._saved_in_order(whole)
        elif self.last and self.last.kind.format == FORMAT:
            self.best = judge(tree, [each.row for each in whole if each.kind.format == FORMAT]).best

    def _mtime(self, row: int) -> int:
        seen = self.tree.entry(row)
        return seen.mtime if seen else 0

    def _saved_in_order(self, whole: list[Checkpoint]) -> bool:
        """Whether later steps were saved later: a run that began again in this folder leaves newer ones below older."""
        saved = [sign.at for each in whole if (sign := self._saved(each.row))]
        return all(before <= after + SAME_TIME for before, after in pairwise(saved))

    def _judge(self, last: int) -> None:
        """Takes the best from the newest state, by name: its path is of the machine and folder that trained."""
        row = self.tree.child(last, b"trainer_state.json")
        text = self.tree.read(row, STATE_CAP) if row is not None else b"{}"
        if isinstance(text, Problem):
            self.problems.append(text)
            return
        state = parsed(text, TrainerState)
        if isinstance(state, ValueError):
            place = shown(self.tree.path(last))
            self.problems.append(Problem(place, "bad-state", f"its trainer_state.json is damaged: {state}", KEEP))
            return
        name = best_name(state)
        self.best = self.tree.child(self.root.row, name.encode("utf-8", "surrogatepass")) if name else None
        self.judged = not name or self.best is not None

    def _names_that_point(self) -> dict[int, list[int]]:
        """`last.ckpt` links and `latest` notes, by the checkpoint they make resolve."""
        assert self.root.row is not None
        found: dict[int, list[int]] = {}
        for name, row in self.tree.children(self.root.row).items():
            target = None
            if name.endswith(b".ckpt") and self.tree.is_link(row):
                target = self.tree.follow(row)
            elif name in NOTES and self.tree.is_file(row):
                text = self.tree.read(row, NOTE_CAP)
                target = self._noted(text.strip()) if isinstance(text, bytes) else None
            if target is not None:
                found.setdefault(target, []).append(row)
        return found

    def _noted(self, text: bytes) -> int | None:
        """The checkpoint that a note names; Megatron's tells the bare number of an `iter_0000100`."""
        number = b"iter_%07d" % int(text) if re.fullmatch(rb"\d{1,15}", text) else text
        found = self.tree.child(self.root.row, text)
        return self.tree.child(self.root.row, number) if found is None else found

    def artifacts(self) -> Iterator[Artifact]:
        """One a checkpoint."""
        for each in self.found:
            label, tags = self.tree.label(each.row), self._tags(each)
            step = str(each.step) if each.step >= 0 else ""
            yield Artifact(
                f"checkpoint:{label}",
                "checkpoint",
                "checkpoint",
                label,
                self.root.path,
                (each.row,),
                tuple(self.names.get(each.row, ())),
                tags=tags,
                revision=step,
                group=self.root.path,
                state=each.kind.state,
                recovery=self._recovery(each, tags),
                detail=f"{each.kind.format}, step {step}" if step else each.kind.format,
                last_used=self._saved(each.row),
            )

    def _tags(self, each: Checkpoint) -> tuple[str, ...]:
        facts = (("last", each == self.last), ("best", each.row == self.best), ("linked", each.row in self.names))
        return tuple(word for word, holds in facts if holds)

    def _saved(self, row: int) -> LastUsed | None:
        state = self.tree.child(row, b"trainer_state.json")
        state = self.tree.child(row, STATE) if state is None else state
        return None if state is None else LastUsed(self._mtime(state), "saved then", "medium")

    def _recovery(self, each: Checkpoint, tags: tuple[str, ...]) -> Recovery:
        """Only a Trainer's state tells which checkpoint is best; elsewhere any may be the one that matters."""
        sure = self.judged and each.kind.format == "Trainer" and each.kind.state == "complete"
        return "superseded" if sure and not tags else "none"
