"""What the folders of modelyard's own `Checkpoints` tell: their step, their metrics, and by which the best is told."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct, field

from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.tree import Tree

FORMAT = "modelyard"
NAME = re.compile(rb"step-\d{8,18}")
STATE, SUMS = b"state.json", b"SHA256SUMS"
STATE_CAP = 256 << 20


class _Keep(msgspec.Struct):
    metric: str = ""
    mode: str = "min"


class _State(msgspec.Struct):
    step: int
    keep: _Keep
    metrics: dict[str, float | dict[str, str]] = {}


class Judged(Struct, frozen=True):
    """The best row, and scores by row, the higher the better; `trouble` says why nobody can tell."""

    best: int | None = None
    scores: Mapping[int, float] = field(default_factory=dict)
    metric: str = ""
    trouble: str = ""


def is_own(name: bytes, names: frozenset[bytes]) -> bool:
    """Whether a folder of that name with these names in it is one: it is there whole or not at all."""
    return bool(NAME.fullmatch(name)) and {STATE, SUMS} <= names


def judge(tree: Tree, rows: Iterable[int]) -> Judged:
    """Which of these is the best by what the newest of them was saved for; of equal ones the later step."""
    states = {row: _state(tree, row) for row in rows}
    broken = next((each for each in states.values() if isinstance(each, str)), "")
    whole = {row: each for row, each in states.items() if isinstance(each, _State)}
    if broken or not whole:
        return Judged(trouble=broken or "no state tells of it")
    keep = max(whole.values(), key=lambda each: each.step).keep
    sign = -1 if keep.mode == "min" else 1
    values = {row: each.metrics.get(keep.metric) for row, each in whole.items()}
    scores = {
        row: sign * float(each) for row, each in values.items() if isinstance(each, int | float) and math.isfinite(each)
    }
    best = max(scores, default=None, key=lambda row: (scores[row], whole[row].step))
    told = f"{keep.metric} {sign * scores[best]:.6g}" if best is not None else ""
    return Judged(best, scores, told, "" if scores else "its metrics do not tell")


def _state(tree: Tree, row: int) -> _State | str:
    """The state of one checkpoint, or what is wrong with it."""
    place = tree.child(row, STATE)
    text = tree.read(place, STATE_CAP) if place is not None else b""
    state = ValueError(text.message) if isinstance(text, Problem) else parsed(text, _State)
    return f"a state.json cannot be read: {state}" if isinstance(state, ValueError) else state
