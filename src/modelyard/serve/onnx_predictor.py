"""An exported model through onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from modelyard.registry.errors import RegistryError, UnsafeError
from modelyard.registry.held import Held
from modelyard.safety.files import scan_file
from modelyard.serve.arrays import Arrays
from modelyard.serve.signature import Signature, Spec

EXPORT = "model.onnx"
"""The file of a version; what it keeps outside of itself lies beside it under names that begin like it."""
TYPES: Mapping[str, str] = {
    "float16": "float16", "float": "float32", "double": "float64", "bool": "bool", "string": "str",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip
"""numpy's names of onnxruntime's tensor types."""


def has_export(files: Held) -> bool:
    """Whether a version can be served by onnxruntime."""
    return files.has(EXPORT)


class OnnxPredictor:
    """A session over private, verified copies of the files of a version."""

    def __init__(self, files: Held, threads: int) -> None:
        folder = files.copied({name: name for name in files.entries if name.startswith(EXPORT)})
        _refuse_dangers(folder / EXPORT, files.shown(EXPORT))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            os.fspath(folder / EXPORT), options, providers=onnxruntime.get_available_providers()
        )
        self.signature = Signature(_specs(self._session.get_inputs()), _specs(self._session.get_outputs()))
        self.engine = f"onnxruntime {onnxruntime.__version__}"

    def predict(self, inputs: Arrays) -> Arrays:
        """One run of the session."""
        found = self._session.run(None, inputs)
        return {spec.name: array for spec, array in zip(self.signature.outputs, found, strict=True)}


def _refuse_dangers(path: Path, name: str) -> None:
    found = [each for each in scan_file(os.fspath(path)).findings if each.severity == "dangerous"]
    if found:
        raise UnsafeError(f"{name}: {found[0].runs}", "dangerous", "`modelyard scan` tells more")


def _specs(nodes: Sequence[Any]) -> tuple[Spec, ...]:
    """Names, shapes and dtypes. RegistryError for what is no tensor."""
    return tuple(Spec(each.name, _shape(each), _dtype(each)) for each in nodes)


def _shape(node: Any) -> tuple[int | None, ...]:
    return tuple(each if isinstance(each, int) and each > 0 else None for each in node.shape)


def _dtype(node: Any) -> str:
    kind = node.type.removeprefix("tensor(").removesuffix(")")
    if kind not in TYPES:
        hint = "export it again: with skl2onnx, `zipmap` has to be off"
        raise RegistryError(f"{node.name!r} of the exported model is a {node.type}", "unsupported", hint)
    return TYPES[kind]
