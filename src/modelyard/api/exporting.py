"""The verb export: a saved model in ONNX beside its weights, proven to compute what the saved one computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from modelyard.convert.onnx_edge import Exported, export_estimator, export_module
from modelyard.convert.onnx_names import BATCH, Names
from modelyard.problem import Problem
from modelyard.registry import codecs
from modelyard.registry.amending import amending
from modelyard.registry.codec import Codec
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.metadata import Export, Metadata
from modelyard.registry.references import Reference
from modelyard.registry.registry import Registry
from modelyard.registry.schema import ports

FORMATS = ("onnx",)
MODEL = "model.onnx"
PROBABILITIES = "probabilities"
OFF = "nothing was kept; another tolerance sets another limit"
PACKAGES = {
    "torch": ("onnx", "onnxscript", "onnxruntime"), "sklearn": ("onnx", "skl2onnx", "onnxruntime"),
    "trees": ("onnx", "onnxmltools", "onnxruntime"),
}  # fmt: skip
"""What wrote an export and what it was compared with."""
Writing = Callable[[Any, Any, str, Names, float | None], Exported | Problem]


def export(
    registry: Registry,
    which: str | Reference,
    to: str,
    *,
    example: Any = None,
    tolerance: float | None = None,
    allow_pickle: bool = False,
    code: bool = False,
    trusted: Sequence[Any] = (),
) -> Export:
    """Writes `model.onnx` into a version, and into its metadata what was proven; all of it or nothing.

    RegistryError: a format or codec that nothing exports, an export that is there, no example, or numbers that are off
    by more than `tolerance`. UnsafeError as `load` raises it.
    """
    meant = registry.resolve(which)
    metadata = registry.metadata(meant)
    kind, write = _way(to, meant, metadata)
    model = registry.load(meant, verify=True, allow_pickle=allow_pickle, code=code, trusted=trusted)
    codec = codecs.named(metadata.codec)
    model = model[0] if metadata.codec == "transformers" and isinstance(model, tuple) else model
    given = _prepared(kind, model, metadata, example)
    names = _names(codec, model, given, metadata)
    with amending(registry.root, meant) as (made, now):
        _refuse_present(meant, now)
        path = os.fsdecode(made.place(MODEL))
        found = write(model, given, path, names, tolerance)
        if isinstance(found, Problem):
            hint = OFF if found.code == "unequal" else found.hint
            raise raised(Problem(str(meant), found.code, f"{found.path} {found.message}", hint))
        for each in found.written:
            made.take(os.path.basename(each.path))
        made_of = _described(to, kind, found, path)
        now.exports.append(made_of)
    return made_of


def _way(to: str, which: Reference, metadata: Metadata) -> tuple[str, Writing]:
    """How the models of a codec are written. RegistryError where they are not."""
    if to not in FORMATS:
        raise RegistryError(f"nothing is exported to {to[:40]!r}", "bad-format", f"formats: {', '.join(FORMATS)}")
    _refuse_present(which, metadata)
    if metadata.codec not in WAYS:
        why = REASONS.get(metadata.codec, f"nothing here writes models of {metadata.framework or metadata.codec}")
        hint = f"{', '.join(WAYS)} can be exported; any ONNX file can be saved as a version of its own"
        raise RegistryError(f"{which} is not exported to ONNX: {why}", "unsupported", hint)
    return WAYS[metadata.codec]


def _refuse_present(which: Reference, metadata: Metadata) -> None:
    if any(each.path == MODEL for each in metadata.files):
        raise RegistryError(f"{which} has {MODEL} already", "exists", "save a new version to export it anew")


def _prepared(kind: str, model: Any, metadata: Metadata, example: Any) -> Any:
    """The example, as tensors for what takes them, made up where none is given."""
    from modelyard.registry.examples import as_tensors, made_up, refuse_misfit, rows_for  # late: it needs numpy

    if example is None:
        example = rows_for(model) if not metadata.inputs and kind != "torch" else made_up(metadata)
    if kind != "torch":
        refuse_misfit(model, example)
        return example
    if not hasattr(model, "parameters"):
        hint = "load it with KERAS_BACKEND=torch in the environment"
        raise RegistryError("Keras writes ONNX on torch, and runs on something else here", "unsupported", hint)
    return as_tensors(example, next((each.dtype for each in model.parameters() if each.is_floating_point()), None))


def _names(codec: Codec, model: Any, example: Any, metadata: Metadata) -> Names:
    """What the registry's schema calls inputs and outputs; the inputs of a module that have names keep them."""
    inputs = () if isinstance(example, Mapping) else ports(example, "input")
    outputs = metadata.outputs or ports(_answer(codec, model, example), "output")
    told = [each.name for each in outputs] + (_probabilities(model) if len(outputs) == 1 else [])
    vectors = frozenset(each.name for each in (*inputs, *outputs) if len(each.shape) == 1)
    return Names(tuple(each.name for each in inputs), tuple(told), vectors)


def _answer(codec: Codec, model: Any, example: Any) -> Any:
    try:
        return codec.run(model, example)
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise RegistryError(f"the model does not take the example: {error}", "bad-example", "give another") from error


def _probabilities(model: Any) -> list[str]:
    return [PROBABILITIES] if hasattr(model, "predict_proba") else []


def _module(model: Any, example: Any, path: str, names: Names, tolerance: float | None) -> Exported | Problem:
    named = dict(example) if isinstance(example, Mapping) else {}
    args = () if named else example if isinstance(example, tuple) else (example,)
    settings: Any = getattr(model, "config", object())
    cache = getattr(settings, "use_cache", None)
    if cache:  # what a language model gives back of it has no place in a schema
        settings.use_cache = False
    try:
        return export_module(model, args, path, named=named, dynamic_shapes=BATCH, names=names, tolerance=tolerance)
    finally:
        if cache:
            settings.use_cache = cache


def _estimator(model: Any, example: Any, path: str, names: Names, tolerance: float | None) -> Exported | Problem:
    return export_estimator(model, path, example=example, names=names, tolerance=tolerance)


WAYS: Mapping[str, tuple[str, Writing]] = {
    "torch": ("torch", _module), "transformers": ("torch", _module), "keras": ("torch", _module),
    "sklearn": ("sklearn", _estimator), "xgboost": ("trees", _estimator), "lightgbm": ("trees", _estimator),
}  # fmt: skip
"""By codec: who writes it, and how."""
REASONS = {
    "onnx": "it is ONNX", "arrays": "arrays compute nothing", "file": "a file is kept as it is",
    "catboost": "CatBoost writes probabilities as a list of maps, which no server takes",
}  # fmt: skip


def _described(to: str, kind: str, found: Exported, path: str) -> Export:
    from modelyard.registry.exported import facts  # late: it needs onnx

    told = facts(path)
    return Export(
        format=to, path=MODEL, sha256=found.written[0].sha256, created=found.at, opset=told.opset,
        error=found.agreement.largest, tolerance=found.agreement.tolerance, compared=found.agreement.compared,
        batches=list(found.agreement.sizes), inputs=told.inputs, outputs=told.outputs,
        packages={each: version_of for each in PACKAGES[kind] if (version_of := _version(each))},
    )  # fmt: skip


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
