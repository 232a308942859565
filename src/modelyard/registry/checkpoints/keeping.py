"""Which checkpoints of a run stay: the last, the best, the pinned, and whatever is not sure. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

Mode = Literal["min", "max"]


class Rule(Struct, frozen=True):
    """How many of the last and of the best stay, and by which metric, the lower or the higher the better."""

    last: int = 3
    best: int = 2
    metric: str = "loss"
    mode: Mode = "min"


class Kept(Struct, frozen=True):
    """A whole checkpoint of ours: its folder's name, step, value of the metric, and whether somebody pinned it."""

    name: str
    step: int
    value: float | None = None
    pinned: bool = False


def ranked(found: Iterable[Kept], rule: Rule) -> list[Kept]:
    """Those with a finite value, the best first; of equal ones the later step."""
    sign = 1 if rule.mode == "min" else -1
    finite = [(sign * each.value, each) for each in found if each.value is not None and math.isfinite(each.value)]
    return [each for _, each in sorted(finite, key=lambda pair: (pair[0], -pair[1].step))]


def superfluous(found: Sequence[Kept], rule: Rule, newest: str) -> list[Kept]:
    """Those that may go, the oldest first. Never the one that was just saved, never the only one."""
    in_order = sorted(found, key=lambda each: each.step)
    stay = {newest, *(each.name for each in in_order[-max(rule.last, 1) :])}
    stay |= {each.name for each in ranked(found, rule)[: rule.best]}
    return [each for each in in_order if each.name not in stay and not each.pinned]
