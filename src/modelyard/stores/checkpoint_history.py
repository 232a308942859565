"""What a run tells of its own checkpoints: which is best and by what score, and whether the training has ended."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct, field

from modelyard.formats.pickled_values import Unmade, read_values
from modelyard.formats.weight_headers import Archive
from modelyard.problem import Problem
from modelyard.stores.checkpoint_own import judge
from modelyard.stores.checkpoint_run import STATE_CAP, TrainerState, best_name
from modelyard.stores.checkpoint_weights import spans
from modelyard.stores.json import parsed
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

UNTOLD = "its run does not tell"
PICKLE_CAP = 32 << 20
STORAGE_CAP = 1 << 20
MODE = re.compile(r"'mode': '(min|max)'")
NUMBERS = {"FloatStorage": "<f", "DoubleStorage": "<d", "HalfStorage": "<e", "LongStorage": "<q", "IntStorage": "<i"}
"""Torch's names for arrays of numbers, and how one of these lies in its file."""


class History(Struct, frozen=True):
    """Rows that the run calls best, a score by row (the higher the better), and why none could be told."""

    best: frozenset[int] = frozenset()
    scores: Mapping[int, float] = field(default_factory=dict)
    metric: str = ""
    """By what it was judged, empty where that is not known."""
    unjudged: str = ""
    """Why it is not known which is best, empty where it is."""
    ended: bool = False
    """Whether the training reached the step that it was to reach."""
    mixed: bool = False
    """Whether checkpoints of several runs lie here, so that a higher step need not be a later one."""


def trainer_history(tree: Tree, folder: int, newest: int, step: int, others: Sequence[int]) -> History:
    """The history that the newest checkpoint of a Trainer's run tells; `step` is what its name says.

    `others` are the run's other checkpoints, of which none may contradict the newest.
    """
    state = _state(tree, newest)
    if isinstance(state, ValueError):
        return History(unjudged="the last trainer_state.json is damaged")
    if state.global_step != step:
        return History(unjudged=f"the state of step {step} tells of step {state.global_step}")
    ended = bool(state.max_steps) and step >= (state.max_steps or 0)
    name = best_name(state)
    if not name:
        return History(unjudged=UNTOLD, ended=ended)
    best = _child(tree, folder, name)
    if best is None:
        return History(unjudged=f"{shown(_name(name))} is not here", ended=ended)
    named = (best, _child(tree, folder, state.best_model_checkpoint or ""))
    values = state.values()
    if any(_contradicts(_state(tree, each), values) for each in others):
        return History(unjudged="its checkpoints tell of different runs", ended=ended, mixed=True)
    metric, scores = _ranked(values, state.best_metric, _number(name))
    rows = {number: tree.child(folder, b"checkpoint-%d" % number) for number in scores}
    found = {row: scores[number] for number, row in rows.items() if row is not None}
    words = f"{metric} {state.best_metric:.6g}" if metric and state.best_metric is not None else ""
    return History(frozenset(each for each in named if each is not None), found, words, "", ended)


class _Log(TrainerState):
    """The state with everything that was measured: one record an evaluation or a line of the log."""

    log_history: list[dict[str, object]] = msgspec.field(default_factory=list)

    def values(self) -> dict[str, dict[int, float]]:
        """What evaluations measured: by metric, then by step; the last where a step has several."""
        found: dict[str, dict[int, float]] = {}
        for record in self.log_history:
            step = record.get("step")
            for name, value in record.items() if isinstance(step, int) else ():
                if name.startswith("eval_") and isinstance(value, int | float) and math.isfinite(value):
                    found.setdefault(name, {})[int(step)] = float(value)  # type: ignore[call-overload]
        return found


def _state(tree: Tree, row: int) -> _Log | ValueError:
    state = tree.child(row, b"trainer_state.json")
    text = tree.read(state, STATE_CAP) if state is not None else b"{}"
    return ValueError(text.message) if isinstance(text, Problem) else parsed(text, _Log)


def _contradicts(other: _Log | ValueError, values: Mapping[str, Mapping[int, float]]) -> bool:
    """Whether another state of the same run measured something else at the same step."""
    told = {} if isinstance(other, ValueError) else other.values()
    return any(values.get(name, {}).get(at, one) != one for name, steps in told.items() for at, one in steps.items())


def _number(name: str) -> int:
    found = re.search(r"(\d+)$", name)
    return int(found[1]) if found else -1


def _ranked(values: Mapping[str, Mapping[int, float]], best: float | None, step: int) -> tuple[str, dict[int, float]]:
    """The metric that judged, and scores by step. Which it was and which way it counts the state does not say:

    it is the one that has the best value at the best step and nowhere a better one. None where several could be.
    """
    found = []
    for name, by_step in values.items():
        low, high = min(by_step.values()), max(by_step.values())
        if best is not None and by_step.get(step) == best and low < high and best in (low, high):
            sign = 1 if best == high else -1
            found.append((name, {at: sign * value for at, value in by_step.items()}))
    return found[0] if len(found) == 1 else ("", {})


def own_history(tree: Tree, rows: Sequence[int]) -> History:
    """The history that modelyard's own checkpoints tell: each has its metrics, and which of them judges."""
    found = judge(tree, rows)
    if found.best is None:
        return History(unjudged=found.trouble)
    return History(frozenset({found.best}), found.scores, found.metric, found.trouble)


def lightning_history(tree: Tree, folder: int, newest: Sequence[int]) -> History:
    """The history in the newest checkpoints of a Lightning run: what their ModelCheckpoint callbacks kept in mind."""
    best: set[int] = set()
    scores: dict[int, float] = {}
    monitors: set[str] = set()
    for row in newest:
        seen = tree.entry(row)
        try:
            callbacks = list(_callbacks(Archive(spans(tree, row), seen.size if seen else 0)))
        except ValueError as error:
            return History(unjudged=f"{shown(tree.name(row))} cannot be read: {error}")
        for monitor, path, ranks in callbacks:
            here = _child(tree, folder, path)
            if here is None:
                return History(unjudged=f"{shown(_name(path))} is not here")
            best.add(here)
            monitors.add(monitor)
            found = {_child(tree, folder, each): score for each, score in ranks.items()}
            scores |= {each: score for each, score in found.items() if each is not None}
    if not best:
        return History(unjudged=UNTOLD)
    return History(frozenset(best), scores if len(monitors) == 1 else {}, ", ".join(sorted(monitors)))


def _name(path: str) -> bytes:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1].encode("utf-8", "surrogatepass")


def _child(tree: Tree, folder: int, path: str) -> int | None:
    """The checkpoint of that name, wherever the run was moved; what is a link counts as what it leads to."""
    row = tree.child(folder, _name(path))
    return tree.follow(row) if row is not None and tree.is_link(row) else row


def _callbacks(archive: Archive) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Of each callback that watched a metric: the metric, the best path, and scores by path, the higher the better."""
    content = read_values(archive.member("data.pkl", PICKLE_CAP))
    callbacks = content.get("callbacks") if isinstance(content, dict) else None
    for key, state in callbacks.items() if isinstance(callbacks, dict) else ():
        if not isinstance(key, str) or not isinstance(state, dict):
            continue
        monitor, path, ranks = state.get("monitor"), state.get("best_model_path"), state.get("best_k_models")
        if isinstance(monitor, str) and isinstance(path, str) and path:
            mode = MODE.search(key)
            yield monitor, path, _scores(archive, ranks, mode[1]) if mode else {}


def _scores(archive: Archive, ranks: object, mode: str) -> dict[str, float]:
    found = {}
    for path, value in ranks.items() if isinstance(ranks, dict) else ():
        number = _scalar(archive, value)
        if isinstance(path, str) and number is not None and math.isfinite(number):
            found[path] = number if mode == "max" else -number
    return found


def _scalar(archive: Archive, value: object) -> float | None:
    """The number in a tensor of one, read from its own member of the archive; None for anything else."""
    if isinstance(value, int | float):
        return float(value)
    match value:
        case Unmade(
            name="torch._utils _rebuild_tensor_v2",
            arguments=(
                Unmade(name="persistent", arguments=("storage", Unmade(name=kind), str(key), *_)),
                int(offset),
                (),
                *_,
            ),
        ):
            return _element(archive, kind.removeprefix("torch "), key, offset)
    return None


def _element(archive: Archive, kind: str, key: str, offset: int) -> float | None:
    shape = NUMBERS.get(kind)
    if shape is None or not 0 <= offset < STORAGE_CAP:
        return None
    size = struct.calcsize(shape)
    data = archive.member(f"data/{key}", STORAGE_CAP)[offset * size : (offset + 1) * size]
    return float(struct.unpack(shape, data)[0]) if len(data) == size else None
