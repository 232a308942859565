"""TensorFlow Lite, now LiteRT: a flatbuffer of subgraphs, and buffers with the weights.

Layout: `tensorflow/compiler/mlir/lite/schema/schema.fbs`.
"""

from __future__ import annotations

from math import prod

from modelyard.formats.dtypes import BLOCKS, WIDTHS, size_of
from modelyard.formats.file import File, told
from modelyard.formats.flatbuffers import Table, root
from modelyard.formats.header import Header, Tensor
from modelyard.formats.sniffing import Head

TITLE = "TensorFlow Lite"
DTYPES = {
    0: "F32", 1: "F16", 2: "I32", 3: "U8", 4: "I64", 5: "text", 6: "BOOL", 7: "I16", 8: "C64", 9: "I8", 10: "F64",
    11: "C128", 12: "U64", 13: "resource", 14: "variant", 15: "U32", 16: "U16", 17: "I4", 18: "BF16", 19: "I2",
}  # fmt: skip


def sniff(head: Head) -> bool:
    """The identifier of the schema."""
    return head.data[4:8] == b"TFL3"


@told
def read(file: File) -> Header:
    """The tensors that have bytes of their own; the others are made while it runs."""
    model = root(file)
    buffers = [_place(each) for each in model.tables(4)]
    tensors: list[Tensor] = []
    graphs = model.tables(2)
    for graph in graphs:
        tensors += [found for each in graph.tables(0) if (found := _tensor(each, buffers))]
    end = max((each.offset + each.bytes for each in tensors if each.offset is not None), default=0)
    facts = [(each.text(0), f"buffer {each.number(1, '<I')}") for each in model.tables(6)]
    custom = sorted({name for each in model.tables(1) if (name := each.text(1))})
    return Header(
        TITLE,
        str(model.number(0, "<I")),
        tuple(tensors),
        complete=end <= file.size,
        architecture=graphs[0].text(4) if graphs else "",
        framework="TensorFlow Lite",
        metadata=(("description", model.text(3)), *facts),
        loads=("ai_edge_litert.interpreter.Interpreter(path)",),
        notes=(f"operators that are not TensorFlow Lite's own: {', '.join(custom[:8])}",) if custom else (),
    )


def _place(buffer: Table) -> tuple[int, int]:
    """Where a buffer's bytes lie and how many they are: inside the flatbuffer, or behind it in large files."""
    outside, size = buffer.number(1, "<Q"), buffer.number(2, "<Q")
    return (outside, size) if outside > 1 else buffer.vector(0)


def _tensor(table: Table, buffers: list[tuple[int, int]]) -> Tensor | None:
    number = table.number(2, "<I")
    offset, size = buffers[number] if number < len(buffers) else (0, 0)
    if not size:
        return None
    shape = tuple(max(side, 0) for side in table.numbers(0))
    dtype = DTYPES.get(table.number(1, "<b"), "?")
    known = dtype in WIDTHS or dtype in BLOCKS
    dense = prod(shape) < 1 << 62 and known and size_of(dtype, shape) == size
    return Tensor(table.text(3), dtype, shape, size_of(dtype, shape) if dense else size, offset)
