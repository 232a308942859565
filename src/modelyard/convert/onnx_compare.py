"""Whether an ONNX model computes what its source computes, on inputs that are generated. Needs numpy, onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from msgspec import Struct
from onnxruntime.capi import onnxruntime_pybind11_state as state

from modelyard.convert.weights import Agreement
from modelyard.formats.file import BrokenError

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]
SEEDS = (1, 2, 3)
SIZES = (1, 2, 5)
"""How many samples the inputs of each seed have, where the model takes any number."""
TOLERANCE = {2: 1e-2, 4: 1e-4, 8: 1e-7}
"""How far apart two floats of so many bytes may be, as a share of the largest one of the output."""

REFUSALS = (
    state.EngineError, state.EPFail, state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf,
    state.NoModel, state.NotImplemented, state.RuntimeException, onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
)  # fmt: skip
"""What onnxruntime and the checker raise for models that they cannot take."""


class Case(Struct, frozen=True):
    """Inputs by name, and what the source computes from them, output by output."""

    seed: int
    size: int
    inputs: Mapping[str, Array]
    outputs: Sequence[Array | None]
    """None for an output that has no counterpart in the source."""
    undecided: Array | None = None
    """Samples whose label is a matter of rounding; None where there are no labels."""


def agreement(path: str, cases_of: Callable[[Session], Sequence[Case]], tolerance: float | None) -> Agreement:
    """Runs a model and compares. BrokenError, `unequal`, where an output is off; it says which and by how much."""
    try:
        onnx.checker.check_model(path, full_check=True)
        session = Session(path)
        cases = cases_of(session)
        answers = [session.run(case.inputs) for case in cases]
    except REFUSALS as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        words = lines[0].rpartition("failed:")[2][:300]
        raise BrokenError(f"gives ONNX that does not run: {words}", "unsupported") from error
    compared, largest = 0, 0.0
    for case, found in zip(cases, answers, strict=True):
        if len(found) != len(case.outputs):
            raise BrokenError(f"computes {len(found)} outputs in ONNX and {len(case.outputs)} in its source", "unequal")
        for name, mine, theirs in zip(session.outputs, found, case.outputs, strict=True):
            if theirs is not None:
                largest = max(largest, _apart(name, mine, theirs, tolerance, case))
                compared += int(theirs.size)
    if not compared:
        raise BrokenError("computes nothing in ONNX that could be compared with its source", "unequal")
    how = "onnx.checker, then every output of onnxruntime against the source on generated inputs"
    share = "1e-2 (float16), 1e-4 (float32), 1e-7 (float64)" if tolerance is None else f"{tolerance:g}"
    words = f"{share} of the largest number of an output; whole numbers and texts equal"
    sizes = tuple(dict.fromkeys(case.size for case in cases))
    return Agreement(how, compared, words, largest, 0, tuple(dict.fromkeys(case.seed for case in cases)), sizes)


class Session:
    """A model in onnxruntime, on the processor alone so that every machine finds the same."""

    def __init__(self, path: str) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [each.name for each in self._session.get_inputs()]
        self._ranks = {each.name: each.shape for each in self._session.get_inputs()}
        self.outputs = [each.name for each in self._session.get_outputs()]

    def shaped(self, name: str, array: Array) -> tuple[int, ...]:
        """The shape of an array of samples as that input: without an axis for one number where it has none."""
        return array.shape if len(self._ranks.get(name, array.shape)) != 1 else array.shape[:1]

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """The outputs in order. BrokenError for inputs that are not among those given."""
        missing = [each for each in self.inputs if each not in inputs]
        if missing:
            raise BrokenError(f"needs an input {missing[0][:80]!r} in ONNX that its source has not", "unequal")
        found = self._session.run(None, {name: inputs[name] for name in self.inputs})
        return [np.asarray(each) for each in found]


def _apart(name: str, mine: Array, theirs: Array, tolerance: float | None, case: Case) -> float:
    """The largest difference of two outputs, 0 for what is no float. BrokenError where they differ too much."""
    at = f"output {name[:80]!r} for seed {case.seed} and {case.size:,} samples"
    if mine.size != theirs.size or (mine.ndim == theirs.ndim and mine.shape != theirs.shape):
        raise BrokenError(f"has another shape in ONNX: {at} is {mine.shape} and not {theirs.shape}", "unequal")
    mine = mine.reshape(theirs.shape)
    if theirs.dtype.kind not in "fc":
        differs = mine.astype(theirs.dtype) != theirs
        if case.undecided is not None and case.undecided.shape == differs.shape:
            differs &= ~case.undecided.astype(bool)
        if differs.any():
            count = int(np.count_nonzero(differs))
            raise BrokenError(
                f"computes something else in ONNX: {at} differs in {count:,} of {theirs.size:,}", "unequal"
            )
        return 0.0
    wide = np.complex128 if theirs.dtype.kind == "c" else np.float64
    a, b = mine.astype(wide), theirs.astype(wide)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        raise BrokenError(f"computes something else in ONNX: {at} is not a number elsewhere", "unequal")
    apart = float(np.abs(a - b)[finite].max(initial=0.0))
    width = min(mine.dtype.itemsize, theirs.dtype.itemsize) // (2 if theirs.dtype.kind == "c" else 1)
    share = tolerance if tolerance is not None else TOLERANCE.get(width, 1e-4)
    limit = share * max(1.0, float(np.abs(b)[finite].max(initial=0.0)))
    if not apart <= limit:
        raise BrokenError(
            f"computes something else in ONNX: {at} is off by {apart:.3g}, at most {limit:.3g}", "unequal"
        )
    return apart
