"""ONNX models, as the protocol buffers that they are, with the files that hold their large tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_model, uses_external_data

from modelyard.apply.folder import Folder
from modelyard.registry.codec import Loading, Saved, Saving
from modelyard.registry.errors import RegistryError
from modelyard.registry.held import Held
from modelyard.registry.metadata import Metadata

NAME = "onnx"
MODEL = "model.onnx"


def takes(model: Any) -> bool:
    """A model in memory; `Path("model.onnx")` is taken as a file."""
    return isinstance(model, onnx.ModelProto)


def save(model: Any, to: Folder, wish: Saving) -> Saved:
    """One file. RegistryError for one that is larger than protocol buffers may be."""
    try:
        data = model.SerializeToString()
    except (ValueError, RuntimeError) as error:
        hint = "write it with external data and save its path"
        raise RegistryError(f"the model cannot be written in one piece: {error}", "too-large", hint) from error
    if any(uses_external_data(each) for each in _tensors(model)):
        hint = "load its external data first, or save its path"
        raise RegistryError("the model names tensors in other files", "unsupported", hint)
    with to.stream(MODEL) as stream:
        stream.put(data)
    return Saved("ONNX", ("onnx",))


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        yield from (each.t for each in node.attribute if each.HasField("t"))


def load(files: Held, metadata: Metadata, wish: Loading) -> Any:
    """The model with all of its tensors."""
    try:
        model = onnx.load_model_from_string(bytes(files.content(MODEL)))
    except (ValueError, RuntimeError, DecodeError) as error:
        raise RegistryError(f"{files.shown(MODEL)}: {error}", "damaged") from error
    needed = {ExternalDataInfo(each).location for each in _tensors(model) if uses_external_data(each)}
    if missing := sorted(needed - set(files.entries)):
        raise RegistryError(f"{files.shown(MODEL)} needs {missing[0]!r}, which was not saved", "missing-file")
    if needed:
        load_external_data_for_model(model, str(files.copied({each: each for each in needed})))
    return model


def run(model: Any, example: Any) -> Any:
    """The outputs that onnxruntime computes, by name. RegistryError where it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RegistryError(
            "running ONNX models needs onnxruntime", "not-installed", "pip install onnxruntime"
        ) from error
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    if not isinstance(example, Mapping):
        example = dict(zip(names, example if isinstance(example, tuple) else (example,), strict=True))
    answers = session.run(None, dict(example))
    return dict(zip([each.name for each in session.get_outputs()], answers, strict=True))
