"""What is known of the runs that checkpoints belong to, for whoever decides which of them may go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from modelyard.inventory import Artifact
from modelyard.stores.checkpoint_history import UNTOLD, History, lightning_history, own_history, trainer_history
from modelyard.stores.checkpoint_own import FORMAT
from modelyard.stores.checkpoint_weights import resume_pieces, weights_trouble
from modelyard.units import SECOND
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = "checkpoint"
SAME_FAMILY = {"Accelerate": "weights only"}  # without its random states one is taken for the other
AGAIN = "its later steps were saved earlier"
RESUMED_FROM = re.compile(rb"last.*\.ckpt$|hpc_ckpt.*\.ckpt$")


class Saved(Struct, frozen=True):
    """One checkpoint. `step` is -1 where its name tells none; `written` in nanoseconds since 1970."""

    id: str
    name: str
    step: int
    written: int
    trouble: str = ""
    """Why it is not known to be whole and to load; empty when it is."""
    kept_by: tuple[str, ...] = ()
    """Why it stays whatever is asked for: last, best, linked."""
    score: float | None = None
    """The higher the better, by what its run was judged."""
    resume: tuple[int, ...] = ()
    """Rows that only resuming its training needs."""


class RunFacts(Struct, frozen=True):
    """The checkpoints of one run whose names differ in nothing but numbers, by their steps."""

    folder: int
    saves: tuple[Saved, ...]
    metric: str = ""
    unjudged: str = ""
    """Why it is not known which is best; empty where it is."""
    ended: bool = False
    mixed: bool = False
    """Whether other runs left checkpoints among them, so that steps say nothing."""

    @property
    def whole(self) -> list[Saved]:
        """Those that would load."""
        return [each for each in self.saves if not each.trouble]

    @property
    def in_order(self) -> bool:
        """Whether later steps were saved later, which they were not where a run began again in the same folder."""
        times = [each.written for each in self.whole if each.step >= 0]
        return all(times[at] <= times[at + 1] + SECOND for at in range(len(times) - 1))


def runs(tree: Tree, artifacts: Iterable[Artifact]) -> Iterator[RunFacts]:
    """The runs of these checkpoints; steps are read from names, and headers and states from the disk."""
    by_folder: dict[int, dict[str, list[Artifact]]] = {}
    for each in artifacts:
        folder = tree.parent(each.blobs[0]) if each.store == STORE and each.blobs else None
        if folder is not None:
            by_folder.setdefault(folder, {}).setdefault(_format(each), []).append(each)
    for folder, formats in by_folder.items():
        for format_, members in formats.items():
            history = _checked(tree, _history(tree, folder, format_, members), members)
            families: dict[bytes, list[Artifact]] = {}
            for each in members:
                families.setdefault(re.sub(rb"\d+", b"#", tree.name(each.blobs[0])), []).append(each)
            for family in families.values():
                yield _facts(tree, folder, family, history)


def territory(tree: Tree, folder: int) -> int:
    """The folder that a run writes into: its checkpoints may lie in a folder of their own there."""
    above = tree.parent(folder)
    if above is None or tree.parent(above) is None:
        return folder
    return above if tree.name(folder) == b"checkpoints" else folder


def _checked(tree: Tree, history: History, members: Iterable[Artifact]) -> History:
    """Without its judgement where what it calls best is no checkpoint that would load."""
    known = {each.blobs[0]: each for each in members}
    for row in history.best:
        here = known.get(row)
        trouble = _trouble(tree, here) if here else "it is no checkpoint"
        if trouble:
            return replace(history, unjudged=f"{shown(tree.name(row))} is not usable: {trouble}")
    return history


def _format(each: Artifact) -> str:
    name = each.detail.partition(",")[0]
    return SAME_FAMILY.get(name, name)


def _step(each: Artifact) -> int:
    return int(each.revision) if each.revision else -1


def _history(tree: Tree, folder: int, format_: str, members: Sequence[Artifact]) -> History:
    whole = [each for each in members if each.state == "complete"]
    if whole and format_ == FORMAT:
        return own_history(tree, [each.blobs[0] for each in whole])
    if not whole or format_ not in ("Trainer", "Lightning"):
        return History(unjudged=UNTOLD)
    highest, latest = max(whole, key=_by_step), max(whole, key=lambda each: (each.written or 0, _step(each)))
    if format_ == "Lightning":
        return lightning_history(tree, folder, list({each.blobs[0]: None for each in (highest, latest)}))
    others = [each.blobs[0] for each in whole if each is not highest]
    return trainer_history(tree, folder, highest.blobs[0], _step(highest), others)


def _by_step(each: Artifact) -> tuple[int, int]:
    return _step(each), each.written or 0


def _facts(tree: Tree, folder: int, family: Sequence[Artifact], history: History) -> RunFacts:
    found = tuple(_saved(tree, each, history) for each in sorted(family, key=lambda each: (_by_step(each), each.id)))
    facts = RunFacts(folder, found, history.metric, history.unjudged, history.ended, history.mixed)
    return facts if facts.unjudged or facts.in_order else replace(facts, unjudged=AGAIN)


def _saved(tree: Tree, each: Artifact, history: History) -> Saved:
    row = each.blobs[0]
    kept = [word for word in each.tags if word in ("last", "best", "linked")]
    kept += ["best"] if row in history.best and "best" not in kept else []
    kept += ["last"] if RESUMED_FROM.match(tree.name(row)) and "last" not in kept else []
    return Saved(
        each.id,
        each.id.rpartition("/")[2],
        _step(each),
        _when(tree, each),
        _trouble(tree, each),
        tuple(kept),
        history.scores.get(row),
        tuple(resume_pieces(tree, row)),
    )


def _trouble(tree: Tree, each: Artifact) -> str:
    return weights_trouble(tree, each.blobs[0]) if each.state == "complete" else "its save was not finished"


def _when(tree: Tree, each: Artifact) -> int:
    """When it was saved: a Trainer writes its state last."""
    state = tree.child(each.blobs[0], b"trainer_state.json")
    seen = tree.entry(state) if state is not None else None
    return seen.mtime if seen else each.written or 0
