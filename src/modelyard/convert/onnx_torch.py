"""torch to ONNX by torch's own exporter (`torch.onnx.export`, dynamo), and the source's answers to generated inputs.

Needs torch, onnx, onnxscript and onnxruntime.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from torch.utils import _pytree

from modelyard.convert.onnx_compare import SEEDS, SIZES, Array, Case, Session, agreement
from modelyard.convert.onnx_names import BATCH, Names, name_ports
from modelyard.convert.weights import Agreement
from modelyard.formats.file import BrokenError

OUTSIDE = 256 << 20
"""Bytes of weights from which on they lie in a file of their own; a protobuf cannot be longer than 2 GiB."""
SAMPLES = 3
"""How often an example of one sample is repeated."""
OPSET = 18
"""The version of the operators, which runtimes of several years know."""
FAILURES = (
    RuntimeError, ValueError, TypeError, AttributeError, LookupError, NotImplementedError, AssertionError, OSError,
    ArithmeticError, ImportError,
)  # fmt: skip
"""What torch raises for models that it cannot express."""


def program_of(
    module: torch.nn.Module,
    example: tuple[object, ...],
    named: Mapping[str, object] | None,
    shapes: object,
) -> torch.export.ExportedProgram:
    """A live module as an exported program, in the mode for inference; the module's own modes are put back.

    `shapes` as `torch.export` has them, or BATCH for a free first axis of all tensors that share its length.
    """
    if shapes == BATCH:
        example, named, shapes = _batched(module, example, dict(named or {}))
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        with _quiet():
            return torch.export.export(module, example, dict(named or {}), dynamic_shapes=shapes, strict=False)  # type: ignore[arg-type]
    except FAILURES as error:
        raise BrokenError(f"cannot be exported by torch: {_first(error)}", "unsupported") from error
    finally:
        for each, mode in modes:
            each.training = mode


def _batched(
    module: torch.nn.Module, example: tuple[object, ...], named: dict[str, object]
) -> tuple[tuple[object, ...], dict[str, object], object]:
    """The arguments with several samples, since one sample alone is taken for a fixed size, and their free axes."""
    flat, spec = _pytree.tree_flatten((example, named))
    sizes = [each.shape[0] for each in flat if isinstance(each, torch.Tensor) and each.ndim]
    if not sizes:
        raise BrokenError("takes no tensor with an axis for samples", "unsupported")
    free = [isinstance(each, torch.Tensor) and each.ndim > 0 and each.shape[0] == sizes[0] for each in flat]
    times = SAMPLES if sizes[0] < 2 else 1
    flat = [torch.cat([each] * times) if is_free else each for each, is_free in zip(flat, free, strict=True)]
    example, named = _pytree.tree_unflatten(flat, spec)
    axis = torch.export.Dim(BATCH, min=1)
    found: Any = cast(Any, torch.export.ShapesCollection)()
    for each, is_free in zip(flat, free, strict=True):
        if is_free:
            found[each] = {0: axis}
    return example, named, found.dynamic_shapes(module, example, named)


def program_in(path: str) -> torch.export.ExportedProgram:
    """The exported program of a file, which runs what the file holds: only for files that were scanned before."""
    try:
        with _quiet():
            return torch.export.load(path)
    except FAILURES as error:
        raise BrokenError(f"cannot be loaded by torch: {_first(error)}", "damaged") from error


def exported(
    program: torch.export.ExportedProgram, path: str, tolerance: float | None, names: Names | None = None
) -> Agreement:
    """Writes a program as ONNX, large weights beside it, and proves it. BrokenError where it cannot be."""
    told = _fitting(program, names or Names())
    size = sum(each.numel() * each.element_size() for each in program.state_dict.values())
    try:
        with _quiet():
            made = torch.onnx.export(program, (), dynamo=True, verbose=False, opset_version=OPSET)
            if made is None:
                raise BrokenError("gave no program", "unsupported")
            name_ports(made.model, told)
            made.save(path, external_data=size >= OUTSIDE)
            return agreement(path, lambda session: list(_cases(program, session)), tolerance)
    except FAILURES as error:
        raise BrokenError(f"cannot be written as ONNX: {_first(error)}", "unsupported") from error


def _fitting(program: torch.export.ExportedProgram, names: Names) -> Names:
    """The names that are given, where there is one for each input and each output, and no two are equal."""
    signature = program.graph_signature
    inputs = names.inputs if len(names.inputs) == len(signature.user_inputs) else ()
    outputs = names.outputs if len(names.outputs) == len(signature.user_outputs) else ()
    own = {str(each) for each in signature.user_inputs}
    return Names(inputs, () if set(outputs) & {*inputs, *own} else outputs)


def _cases(program: torch.export.ExportedProgram, session: Session) -> Iterator[Case]:
    """Inputs of every size that the program takes, and what it computes."""
    module = program.module()
    for seed, size in zip(SEEDS, SIZES, strict=True):
        flat, names = _inputs(program, seed, size)
        args, words = _pytree.tree_unflatten(flat, program.call_spec.in_spec)
        with torch.no_grad():
            found = _pytree.tree_leaves(module(*args, **words))
        inputs = {name: _array(each) for name, each in zip(names, flat, strict=True) if isinstance(each, torch.Tensor)}
        outputs = [_array(each) for each in found if isinstance(each, torch.Tensor)]
        sizes = {each.shape[0] for each in inputs.values() if each.ndim}
        yield Case(seed, next(iter(sizes)) if len(sizes) == 1 else size, _renamed(inputs, session.inputs), outputs)


def _renamed(inputs: dict[str, Array], names: Sequence[str]) -> dict[str, Array]:
    """The inputs under the names that ONNX has for them: by name, or all by their order."""
    if set(names) <= inputs.keys() or len(names) != len(inputs):
        return inputs
    return dict(zip(names, inputs.values(), strict=True))


def _inputs(program: torch.export.ExportedProgram, seed: int, size: int) -> tuple[list[object], list[str]]:
    """One value for each input of a program: numbers within the range of the example's, of a shape that it takes."""
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    examples = _pytree.tree_leaves(program.example_inputs) if program.example_inputs else []
    generator = torch.Generator().manual_seed(seed)
    found: list[object] = []
    for at, name in enumerate(names):
        value = nodes[name].meta["val"] if isinstance(name, str) and name in nodes else name
        example = examples[at] if len(examples) == len(names) else None
        if isinstance(value, torch.Tensor):
            found.append(_generated(value, _shape(program, value, size), example, generator))
        elif isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool):
            raise BrokenError("takes a number that may change, for which no values are generated", "unsupported")
        else:
            found.append(value)
    return found, [str(each) for each in names]


def _shape(program: torch.export.ExportedProgram, value: torch.Tensor, size: int) -> list[int]:
    """The sides of an input, those that may change within the range that the program says."""
    sides = []
    for side in value.shape:
        if isinstance(side, int):
            sides.append(side)
            continue
        expression = side.node.expr
        values = {}
        for symbol in expression.free_symbols:
            known = program.range_constraints.get(symbol)
            low = int(known.lower) if known is not None else 2
            high = int(known.upper) if known is not None and known.upper < 1 << 20 else 1 << 20
            values[symbol] = min(max(low, size), high)
        sides.append(int(expression.subs(values)))
    return sides


def _generated(value: torch.Tensor, shape: list[int], example: object, generator: torch.Generator) -> torch.Tensor:
    low, high, known = 0.0, 1.0, False
    if isinstance(example, torch.Tensor) and example.numel() > 0 and not example.is_complex():
        low, high, known = float(example.min()), float(example.max()), True
    if value.dtype is torch.bool:
        return torch.randint(0, 2, shape, generator=generator).bool()
    if not value.dtype.is_floating_point and not value.dtype.is_complex:
        return torch.randint(int(low), int(high) + 1, shape, generator=generator).to(value.dtype)
    if known and high > low and low >= 0:
        return (torch.rand(shape, generator=generator) * (high - low) + low).to(value.dtype)
    return torch.randn(shape, generator=generator).to(value.dtype)


def _array(tensor: torch.Tensor) -> Array:
    plain = tensor.detach().cpu()
    found: Array = (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()
    return np.asarray(found)


def _first(error: BaseException) -> str:
    """The first line of what torch says, the cause rather than its wrapping."""
    while error.__cause__ is not None and str(error.__cause__):
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's progress, warnings and log lines on the screen of whoever calls."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
