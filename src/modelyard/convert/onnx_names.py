"""Names of the inputs and outputs of an ONNX model, and of its free batch axis, as its source calls them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

PLAIN = 13
"""The version of the plain operators where a model has none of them yet."""
BATCH = "batch"
"""What the free axis of every input and output is called."""


class Names(Struct, frozen=True):
    """What inputs and outputs are to be called, in their order; those that are not named keep their names."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    vectors: frozenset[str] = frozenset()
    """Those of them that have one number a sample and no axis for it, as in the source: the columns of a table."""


def rename(model: Any, names: Names) -> None:
    """Names the inputs and outputs of an `onnx.ModelProto`, all of which have a free first axis.

    Values inside of it make way for a name.
    """
    graph = model.graph
    wanted: dict[str, str] = {}
    for values, told in ((graph.input, names.inputs), (graph.output, names.outputs)):
        wanted |= {value.name: name for value, name in zip(values, told, strict=False)}
    inside = {name: f"{name}_inside" for name in _names(graph) if name in wanted.values() and name not in wanted}
    if len(set(wanted.values())) == len(wanted):
        _apply(graph, inside | wanted)
    flat = [_flattened(model, each) for each in (*graph.input, *graph.output) if each.name in names.vectors]
    graph.node.extend([node for node, comes_last in filter(None, flat) if comes_last])
    for node in [node for node, comes_last in filter(None, flat) if not comes_last]:
        graph.node.insert(0, node)
    for value in (*graph.input, *graph.output):
        sides = value.type.tensor_type.shape.dim
        if sides:
            sides[0].Clear()
            sides[0].dim_param = BATCH


def _flattened(model: Any, value: Any) -> tuple[Any, bool] | None:
    """Takes the second axis from an input or output of one number a sample: the node for it, and if it comes last."""
    import numpy as np
    import onnx

    graph, shape = model.graph, value.type.tensor_type.shape
    if len(shape.dim) != 2 or shape.dim[1].dim_value != 1:
        return None
    inner, is_output = f"{value.name}_of_one_column", value in graph.output
    sides = f"{inner}_shape"
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1] if is_output else [-1, 1]), sides))
    for node in graph.node:
        node.input[:] = [inner if name == value.name else name for name in node.input]
        node.output[:] = [inner if name == value.name else name for name in node.output]
    del shape.dim[1]
    if not any(each.domain in ("", "ai.onnx") for each in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid("", PLAIN))
    ends = (inner, value.name) if is_output else (value.name, inner)
    return onnx.helper.make_node("Reshape", [ends[0], sides], [ends[1]]), is_output


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph, and those inside its loops and branches, which see its names."""
    yield graph
    for node in graph.node:
        for each in node.attribute:
            for inner in ([each.g] if each.HasField("g") else []) + list(each.graphs):
                yield from _graphs(inner)


def _names(graph: Any) -> Iterator[str]:
    for each in _graphs(graph):
        yield from (value.name for value in (*each.input, *each.output, *each.value_info, *each.initializer))
        for node in each.node:
            yield from (*node.input, *node.output)


def _apply(graph: Any, given: Mapping[str, str]) -> None:
    for each in _graphs(graph):
        for value in (*each.input, *each.output, *each.value_info, *each.initializer):
            value.name = given.get(value.name, value.name)
        for node in each.node:
            node.input[:] = [given.get(name, name) for name in node.input]
            node.output[:] = [given.get(name, name) for name in node.output]


def name_ports(model: Any, names: Names) -> None:
    """Names the inputs and outputs of an `onnx_ir.Model`, and the free first axis of its first input, wherever it is.

    Values inside of it make way for a name; weights keep theirs.
    """
    import onnx_ir

    graph = model.graph
    inside = [each for node in onnx_ir.traversal.RecursiveGraphIterator(graph) for each in node.outputs]
    pairs = [*zip(graph.inputs, names.inputs, strict=False), *zip(graph.outputs, names.outputs, strict=False)]
    for value, name in pairs:
        for other in (*graph.inputs, *inside):
            if other is not value and other.name == name:
                other.name = f"{name}_inside"
        if name not in graph.initializers:
            value.name = name
    _name_axis([*graph.inputs, *inside], graph.inputs, onnx_ir)


def _name_axis(values: Sequence[Any], inputs: Sequence[Any], onnx_ir: Any) -> None:
    first = next((each for each in inputs if each.shape is not None and len(each.shape)), None)
    axis = None if first is None else getattr(first.shape[0], "value", None)
    if not isinstance(axis, str):
        return
    named = onnx_ir.SymbolicDim(BATCH)
    for value in values:
        if value.shape is not None:
            sides = [named if getattr(each, "value", each) == axis else each for each in value.shape]
            value.shape = onnx_ir.Shape(sides)
