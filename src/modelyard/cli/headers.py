"""Headers of model files as screens and as documents. All text in them was written by strangers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelyard.api.inspecting import Header, Inspected, Tensor
from modelyard.cli import documents
from modelyard.cli.output import line, table
from modelyard.units import count, size
from modelyard.walk.text import shown

if TYPE_CHECKING:  # who asks for JSON does not wait for what draws screens
    from rich.console import Console

MOST_FACTS, MOST_NEEDS, MOST_DTYPES = 12, 6, 5
WIDTH = 13


def precision(header: Header) -> str:
    """The mix of dtypes with their share of the bytes: `Q4_K 86%, Q6_K 14%, 4.83 bits a weight`."""
    shares = header.dtypes
    if not shares:
        return ""
    total = sum(each.bytes for each in shares) or 1
    words = [f"{shown(each.dtype)} {100 * each.bytes / total:.0f}%" for each in shares[:MOST_DTYPES]]
    if len(shares) > MOST_DTYPES:
        words.append(f"{len(shares) - MOST_DTYPES} more")
    mix = shown(shares[0].dtype) if len(shares) == 1 else ", ".join(words)
    return f"{mix}, {header.bits_per_weight:.2f} bits a weight"


def print_file(out: Console, found: Inspected, header: Header, tensors: bool) -> None:
    """One screen about one file."""
    line(out, shown(found.path), "bold")
    for label, text in _facts(found, header):
        line(out, f"{label:<{WIDTH}} {text}")
    for name, value in header.metadata[:MOST_FACTS]:
        line(out, f"  {shown(name)}: {shown(value)}", "dim")
    if len(header.metadata) > MOST_FACTS:
        out.print(f"  and {len(header.metadata) - MOST_FACTS:,} more facts: --json has them all", style="dim")
    if tensors:
        out.print()
        rows = [_row(each) for each in header.tensors]
        table(out, ("Tensor", "Dtype", "Shape", "Bytes", "Offset", "In"), rows, right=(3, 4), flexible=0, spare=(5,))


def _facts(found: Inspected, header: Header) -> list[tuple[str, str]]:
    version = f" {shown(header.version)}" if header.version else ""
    state = "complete" if header.complete else "ends before what its header promises"
    weights = header.weights
    facts = [
        ("Format", shown(header.format) + version),
        ("Made by", shown(header.framework)),
        ("Architecture", shown(header.architecture)),
        ("Parameters", f"{count(header.parameters)} in {_tensors(len(weights))}" if weights else ""),
        ("Precision", precision(header)),
        ("Training", f"{count(header.training)} numbers of its state" if header.training else ""),
        ("Size", f"{size(_bytes(found, header))}, {state}"),
    ]
    facts += [("Needs", text) for text in _needs(header)]
    facts += [("Loaded by", shown(each)) for each in header.loads]
    facts += [("Inside", f"{shown(name)}: {_short(inside)}") for name, inside in header.parts[:MOST_FACTS]]
    facts += [("Note", shown(each)) for each in header.notes]
    return [(label, text) for label, text in facts if text]


def _tensors(number: int) -> str:
    return f"{number:,} tensor{'s' if number > 1 else ''}"


def _needs(header: Header) -> list[str]:
    missing = [each for each in header.needs if not each.exists]
    words = {True: "is there", False: "is missing", None: "leads out of the folder"}
    lines = [f"{shown(each.path)}, {each.why}: {words[each.exists]}" for each in (missing or header.needs)[:MOST_NEEDS]]
    there = len(header.needs) - len(missing or header.needs[:MOST_NEEDS])
    if missing and len(missing) > MOST_NEEDS:
        lines.append(f"{len(missing) - MOST_NEEDS:,} more are missing")
    return [*lines, f"{there:,} more, which are there"] if there else lines


def _short(header: Header) -> str:
    words = (shown(header.format), f"{count(header.parameters)} parameters" if header.tensors else "")
    return ", ".join(each for each in words if each)


def _row(tensor: Tensor) -> tuple[str, ...]:
    shape = "x".join(str(side) for side in tensor.shape) or "one number"
    offset = "-" if tensor.offset is None else str(tensor.offset)
    return (
        shown(tensor.name),
        shown(tensor.dtype),
        shape,
        str(tensor.bytes),
        offset,
        shown(tensor.file or tensor.member),
    )


def print_summary(out: Console, found: Sequence[tuple[Inspected, Header]]) -> None:
    """One line a file, and what they come to."""
    rows = [
        (
            shown(header.format),
            count(header.parameters) if header.weights else "-",
            f"{header.bits_per_weight:.2f}" if header.weights else "-",
            size(_bytes(each, header)),
            "complete" if header.complete and all(need.exists for need in header.needs) else "not whole",
            shown(each.path),
        )
        for each, header in found
    ]
    table(out, ("Format", "Parameters", "Bits", "Size", "State", "Path"), rows, right=(1, 2, 3), flexible=5, spare=(4,))
    total = sum(_bytes(each, header) for each, header in found)
    if out.is_terminal:
        out.print(f"{len(found):,} model files, {size(total)}", style="dim")


def model_facts(whole: Header | None) -> tuple[tuple[str, str], ...]:
    """Format, parameters and precision of an artifact's model."""
    if whole is None:
        return ()
    mix = dict(whole.metadata).get("quantisation", "")
    return (
        ("Format", shown(f"{whole.format} {mix}".strip())),
        ("Parameters", count(whole.parameters)),
        ("Precision", precision(whole)),
    )


def _bytes(found: Inspected, header: Header) -> int:
    """Bytes of the file and of those that hold its tensors, as far as they are there."""
    folder = os.path.dirname(found.path)
    names = {os.path.join(folder, each.path) for each in header.needs if each.exists}
    return (found.size or 0) + sum(os.stat(each).st_size for each in names & found.holds if os.path.isfile(each))


def document(found: Inspected, header: Header, tensors: bool) -> documents.InspectedLine:
    """A header as a document."""
    return documents.InspectedLine(
        path=shown(found.path),
        size=found.size,
        format=shown(header.format),
        version=shown(header.version),
        complete=header.complete,
        tensors=len(header.tensors),
        parameters=header.parameters,
        training=header.training,
        bits=round(header.bits_per_weight, 4),
        dtypes={
            shown(each.dtype): documents.DtypeLine(each.tensors, each.elements, each.bytes, round(each.bits, 4))
            for each in header.dtypes
        },
        architecture=shown(header.architecture),
        framework=shown(header.framework),
        metadata={shown(name): shown(value) for name, value in header.metadata},
        needs=[documents.NeedLine(shown(each.path), each.exists, each.why) for each in header.needs],
        loads=[shown(each) for each in header.loads],
        notes=[shown(each) for each in header.notes],
        inside=[
            documents.InsideLine(shown(name), shown(each.format), each.parameters, len(each.tensors))
            for name, each in header.parts
        ],
        listed=[_tensor(each) for each in header.tensors] if tensors else None,
    )


def _tensor(tensor: Tensor) -> documents.TensorLine:
    return documents.TensorLine(
        shown(tensor.name),
        shown(tensor.dtype),
        list(tensor.shape),
        tensor.bytes,
        tensor.offset,
        shown(tensor.member),
        shown(tensor.file),
        list(tensor.strides) if tensor.strides is not None else None,
        shown(tensor.storage),
    )
