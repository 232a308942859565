"""scikit-learn to ONNX by skl2onnx, and the estimator's answers to generated inputs.

Needs scikit-learn, skl2onnx, onnx and onnxruntime.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import skl2onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import is_classifier

from modelyard.convert.onnx_compare import SEEDS, Array, Case, Session, agreement
from modelyard.convert.onnx_names import Names, rename
from modelyard.convert.weights import Agreement
from modelyard.formats.file import BrokenError

SIZES = (1, 7, 200)
"""Samples of the inputs of each seed."""
FAILURES = (
    RuntimeError, ValueError, NameError, TypeError, AttributeError, LookupError, NotImplementedError, ArithmeticError,
    AssertionError, ImportError, OSError,
)  # fmt: skip
"""What skl2onnx raises for estimators that it cannot express, and estimators for inputs that do not fit."""
SOURCES = {
    "label": ("predict",), "output_label": ("predict",), "probabilities": ("predict_proba",),
    "output_probability": ("predict_proba",), "variable": ("predict", "transform"),
    "GPmean": ("predict",), "scores": ("decision_function", "transform", "score_samples"),
    "transformed_column": ("transform",),
}  # fmt: skip
"""Which method computes what skl2onnx calls an output, the first that there is."""


ALONE = ("predict", "transform")
"""What computes the only output of a model, whatever its name."""
OPSETS = {"": 18, "ai.onnx.ml": 3}
"""Versions of the operators that runtimes of several years know."""
NEAR = 1e-4
"""Scores so near to each other that either label is right."""


class Table(Protocol):
    """A table of named columns, as pandas has it."""

    columns: list[str]

    def __getitem__(self, name: str) -> object:
        """A column."""
        ...


def exported(
    estimator: object,
    path: str,
    example: object,
    tolerance: float | None,
    *,
    names: Names | None = None,
    write: Callable[[], Any] | None = None,
) -> Agreement:
    """Writes a fitted estimator as ONNX and proves it. `example`: samples, rows of an array or a table; None generates.

    `write`: another converter than skl2onnx. BrokenError where it cannot express the estimator, or where what it
    wrote computes something else.
    """
    sample = _sample(estimator, example)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = write() if write else _written(estimator, sample, example is None)
            outputs = [each.name for each in made.graph.output]
            if names is not None:
                rename(made, names)
            skl2onnx.helpers.onnx_helper.save_onnx_model(made, path)
            return agreement(path, lambda session: list(_cases(estimator, sample, session, outputs)), tolerance)
    except FAILURES as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise BrokenError(f"cannot be written as ONNX: {lines[0][:300]}", "unsupported") from error


def _written(estimator: object, sample: object, generated: bool) -> Any:
    """The model by skl2onnx, probabilities as an array where it gives any."""
    kinds = [("input", FloatTensorType([None, cast(Array, sample).shape[1]]))] if generated else None
    options = ({"zipmap": False}, None) if is_classifier(estimator) else (None,)
    for each in options:
        try:
            return skl2onnx.to_onnx(
                estimator, None if generated else sample, initial_types=kinds, options=each, target_opset=OPSETS
            )
        except NameError:  # what skl2onnx raises for an option that a model has not
            if each is None:
                raise
    raise AssertionError


def _sample(estimator: object, example: object) -> object:
    """Samples from which the inputs are made up: floats of 32 bits, or the table as it is."""
    if example is not None:
        if hasattr(example, "columns"):
            wide = [name for name in example.columns if np.asarray(cast(Table, example)[name]).dtype == np.float64]
            return cast(Any, example).astype(dict.fromkeys(wide, np.float32))
        plain = np.asarray(example)
        return plain.astype(np.float32) if plain.dtype.kind == "f" else plain
    count = getattr(estimator, "n_features_in_", None)
    if not isinstance(count, int | np.integer):
        raise BrokenError("does not say how many features it takes: give an example input", "no-example")
    return np.random.default_rng(0).normal(size=(50, int(count))).astype(np.float32)


def _cases(estimator: object, sample: object, session: Session, told: Sequence[str]) -> Iterator[Case]:
    """`told`: what the converter called the outputs."""
    for seed, size in zip(SEEDS, SIZES, strict=True):
        rows = _generated(sample, size, np.random.default_rng(seed))
        inputs = {
            name: each.reshape(session.shaped(name, each)) for name, each in _columns(rows, session.inputs).items()
        }
        wide = rows.astype(np.float64) if isinstance(rows, np.ndarray) and rows.dtype.kind == "f" else rows
        outputs = [_answer(estimator, name, wide, len(told) == 1) for name in told]
        yield Case(seed, size, inputs, outputs, _undecided(estimator, wide))


def _undecided(estimator: object, rows: object) -> Array | None:
    """Which samples have two best classes with the same probability, so that either may be told."""
    if not hasattr(estimator, "predict_proba"):
        return None
    found = np.asarray(getattr(estimator, "predict_proba")(rows))  # noqa: B009 - not every estimator has it
    if found.ndim != 2 or found.shape[1] < 2:
        return None
    best = np.sort(found, axis=1)
    return np.asarray(best[:, -1] - best[:, -2] <= NEAR)


def _generated(sample: object, size: int, random: np.random.Generator) -> object:
    """Rows like those of the sample: numbers between its smallest and largest, others taken from it."""
    if hasattr(sample, "columns"):
        table = cast(Table, sample)
        columns = {name: _column(np.asarray(table[name]), size, random) for name in table.columns}
        return cast(Callable[[Mapping[str, Array]], object], type(sample))(columns)
    plain = cast(Array, sample)
    return np.stack([_column(plain[:, at], size, random) for at in range(plain.shape[1])], axis=1)


def _column(values: Array, size: int, random: np.random.Generator) -> Array:
    if values.dtype.kind == "f":
        low, high = float(values.min()), float(values.max())
        return cast(Array, random.uniform(low, high, size).astype(values.dtype))
    return cast(Array, random.choice(values, size))


def _columns(rows: object, names: list[str]) -> dict[str, Array]:
    """The rows as ONNX takes them: one matrix, or a column by its name."""
    if not hasattr(rows, "columns"):
        return {names[0]: cast(Array, rows)}
    table = cast(Table, rows)
    return {name: _named(np.asarray(table[name])) for name in table.columns}


def _named(column: Array) -> Array:
    plain = column.astype(np.float32) if column.dtype == np.float64 else column
    return plain.reshape(-1, 1)


def _answer(estimator: object, name: str, rows: object, alone: bool) -> Array | None:
    """What the estimator says for an output of the model; None where no method computes it."""
    methods = SOURCES.get(name, ALONE if alone else ())
    if hasattr(estimator, "get_support"):  # it selects features, and predicts as well
        methods = tuple(sorted(methods, key=lambda each: each != "transform"))
    method = next((each for each in methods if hasattr(estimator, each)), None)
    if method is None:
        return None
    found = getattr(estimator, method)(rows)
    dense = found.toarray() if hasattr(found, "toarray") else found
    return np.asarray(dense)
