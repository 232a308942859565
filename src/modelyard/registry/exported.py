"""What an ONNX file that was exported says of itself: the versions of its operators, its inputs and its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from msgspec import Struct

from modelyard.registry.metadata import Port

MODEL = "model.onnx"
"""How an export is called; weights that lie outside of it have names that begin like it."""


class Facts(Struct, frozen=True):
    """Versions by domain of operators, and the schema."""

    opset: dict[str, int]
    inputs: list[Port]
    outputs: list[Port]


def facts(path: str) -> Facts:
    """What a file says that was just written and checked."""
    model = onnx.load(path, load_external_data=False)
    opset = {each.domain or "ai.onnx": each.version for each in model.opset_import}
    return Facts(opset, _ports(model.graph.input), _ports(model.graph.output))


def _ports(values: Sequence[Any]) -> list[Port]:
    found = []
    for each in values:
        kind = each.type.tensor_type
        shape = [side.dim_value if side.HasField("dim_value") and side.dim_value else None for side in kind.shape.dim]
        found.append(Port(name=each.name, dtype=_dtype(kind.elem_type), shape=shape))
    return found


def _dtype(kind: int) -> str:
    if kind == onnx.TensorProto.STRING:
        return "str"
    return str(onnx.helper.tensor_dtype_to_np_dtype(kind)) if kind else "unknown"
