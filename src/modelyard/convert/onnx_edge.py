"""Live models to ONNX: a torch module, a fitted estimator or trees, proven against the model itself.

The frameworks are imported when a function runs, and named by the Problem that needs them.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from modelyard.apply.disk import Disk
from modelyard.apply.whole import scratch
from modelyard.convert.copying import failing, free
from modelyard.convert.extras import wanted
from modelyard.convert.onnx_names import Names
from modelyard.convert.source import held
from modelyard.convert.weights import Agreement, Written
from modelyard.formats.file import BrokenError
from modelyard.formats.header import Header
from modelyard.formats.known import read_header
from modelyard.problem import Problem
from modelyard.units import rfc3339
from modelyard.walk.text import shown

if TYPE_CHECKING:
    import torch

DATA = ".data"
"""What the exporter puts behind the name of a model whose weights lie beside it."""
ESTIMATORS = ("sklearn", "skl2onnx", "onnx", "onnxruntime")
"""What every estimator needs."""
TREES = ("xgboost", "lightgbm")
"""Libraries whose models another converter writes."""
Writing = Callable[[str], Agreement]
"""Writes a model at a path, and perhaps its weights beside it, and proves it. BrokenError where it cannot."""


class Exported(Struct, frozen=True):
    """A model that was written as ONNX and proven: its files, the model itself first, weights beside it after it."""

    written: tuple[Written, ...]
    agreement: Agreement
    at: str


def export_module(
    module: torch.nn.Module,
    example: tuple[object, ...],
    target: str,
    *,
    named: Mapping[str, object] | None = None,
    dynamic_shapes: object = None,
    names: Names | None = None,
    tolerance: float | None = None,
    disk: Disk | None = None,
) -> Exported | Problem:
    """Writes a torch module as ONNX at `target`, in the mode for inference, and proves it on generated inputs.

    `example`: arguments that the module takes, `named` those with names; `dynamic_shapes` as `torch.export` has it,
    `batch` for a free first axis, None for shapes that never change. `tolerance`: share of an output's largest number,
    None for one by dtype. `names`: what inputs and outputs are to be called. The module stays as it is.
    A Problem where torch cannot, or ONNX computes something else; nothing is left then.
    """
    if missing := _missing(("torch", "onnx", "onnxscript", "onnxruntime"), "a module as ONNX"):
        return missing

    def write(path: str) -> Agreement:
        from modelyard.convert.onnx_torch import exported, program_of  # late: it needs torch

        return exported(program_of(module, example, named, dynamic_shapes), path, tolerance, names)

    return placed(type(module).__name__, target, write, disk or Disk())


def export_estimator(
    estimator: object,
    target: str,
    *,
    example: object = None,
    names: Names | None = None,
    tolerance: float | None = None,
    disk: Disk | None = None,
) -> Exported | Problem:
    """Writes a fitted scikit-learn estimator or pipeline, or a model of XGBoost or LightGBM, as ONNX at `target`.

    It is proven on generated inputs. `example`: samples as rows of an array or as a table of pandas, from whose range
    inputs are generated; needed where features are no floats of about one; trees take no table. Classifiers give labels
    and probabilities as arrays. A Problem as above.
    """
    trees = _is_of_trees(estimator)
    if missing := _missing((*(("onnxmltools",) if trees else ()), *ESTIMATORS), "an estimator as ONNX"):
        return missing

    def write(path: str) -> Agreement:
        if trees:
            from modelyard.convert.onnx_trees import exported as of_trees  # late: it needs onnxmltools

            return of_trees(estimator, path, example, tolerance, names)
        from modelyard.convert.onnx_sklearn import exported  # late: it needs scikit-learn

        return exported(estimator, path, example, tolerance, names=names)

    return placed(type(estimator).__name__, target, write, disk or Disk())


def _is_of_trees(model: object) -> bool:
    return any(each.__module__.partition(".")[0] in TREES for each in type(model).__mro__)


def _missing(packages: tuple[str, ...], what: str) -> Problem | None:
    return next((found for each in packages if (found := wanted(each, what))), None)


def placed(source: str, target: str, write: Writing, disk: Disk, mode: int = 0o644) -> Exported | Problem:
    """Lets a model be written in a folder of its own beside the target, and gives its files their names once proven."""
    path = os.path.abspath(os.fsencode(target))
    with failing(source, target) as wrong:
        free([path, path + os.fsencode(DATA)])
        with scratch(disk, os.path.dirname(path)) as folder:
            draft = os.path.join(folder, os.path.basename(path))
            found = write(os.fsdecode(draft))
            drafts = _checked(draft)
            written = tuple(_synced(each, path + each[len(draft) :], disk, mode) for each in drafts)
            _named(drafts, path, disk)
        return Exported(written, found, rfc3339(time.time_ns()))
    return wrong[0]


def _checked(draft: bytes) -> list[bytes]:
    """The files of a model: a whole ONNX file, and its weights beside it. BrokenError for anything else."""
    header = read_header(os.fsdecode(draft))
    if not isinstance(header, Header) or not header.complete or header.format != "ONNX":
        raise BrokenError("was not written as a whole ONNX file", "unequal")
    outside = os.fsencode(os.path.basename(os.fsdecode(draft)) + DATA)
    beside = {os.fsencode(each.path) for each in header.needs}
    if beside - {outside}:
        raise BrokenError("was written with weights in unexpected files", "unequal")
    drafts = [draft, *(os.path.join(os.path.dirname(draft), each) for each in beside)]
    if any(not stat.S_ISREG(os.lstat(each).st_mode) for each in drafts):
        raise BrokenError("was written as something that is no plain file", "unequal")
    return drafts


def _synced(draft: bytes, path: bytes, disk: Disk, mode: int) -> Written:
    """A file on the medium, with its digest under the name that it gets."""
    descriptor = disk.reopen(draft)
    try:
        disk.mode(descriptor, mode)
        disk.sync(descriptor)
    finally:
        os.close(descriptor)
    with held(draft) as source:
        header = read_header(os.fsdecode(draft))
        count = len(header.tensors) if isinstance(header, Header) else 0
        return Written(shown(path), source.size, source.digest(), count)


def _named(drafts: list[bytes], path: bytes, disk: Disk) -> None:
    """The weights first: whoever sees the model sees all of it. All of them get their names or none."""
    done: list[tuple[bytes, bytes]] = []
    try:
        for each in reversed(drafts):
            final = path + each[len(drafts[0]) :]
            disk.move(each, final)
            done.append((final, each))
    except OSError:
        for final, each in done:
            disk.move(final, each)
        raise
    disk.sync_folder(os.path.dirname(path))
