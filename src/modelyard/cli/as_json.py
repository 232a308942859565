"""Fills the JSON documents from the nouns, and writes them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from modelyard.cli import documents
from modelyard.inventory import Artifact, Inventory, Sizes
from modelyard.problem import Problem
from modelyard.units import rfc3339
from modelyard.walk.text import shown

if TYPE_CHECKING:  # a document of a scan has nothing of them
    from modelyard.api.looked import Looked, Note


def totals(sizes: Sizes) -> documents.Totals:
    """Sizes as a document."""
    return documents.Totals(sizes.apparent, sizes.allocated, sizes.freed, sizes.exact)


def problems(found: tuple[Problem, ...]) -> list[documents.ProblemLine]:
    """Problems as documents."""
    return [documents.ProblemLine(each.path, each.code, each.message, each.hint) for each in found]


def artifact_line(artifact: Artifact, known: Note) -> documents.ArtifactLine:
    """An artifact as a document, with what is known of its files."""
    used, model = artifact.last_used, known.model
    return documents.ArtifactLine(
        artifact.id,
        artifact.store,
        artifact.kind,
        artifact.title,
        shown(artifact.root),
        artifact.revision,
        list(artifact.tags),
        artifact.group,
        artifact.sizes.apparent,
        artifact.sizes.allocated,
        artifact.sizes.freed,
        artifact.sizes.exact,
        documents.Used(rfc3339(used.at), used.evidence, used.confidence) if used else None,
        rfc3339(artifact.written) if artifact.written is not None else None,
        artifact.recovery,
        artifact.state,
        artifact.proof,
        artifact.detail,
        model.format or None if model else None,
        model.precision or None if model else None,
        model.parameters if model else None,
        known.verdict,
    )


def listing(inventory: Inventory, chosen: list[Artifact], looked: Looked) -> documents.Listing:
    """The chosen artifacts as a document."""
    lines = [artifact_line(each, looked.of(each)) for each in chosen]
    return documents.Listing(lines, inventory.partial, problems(inventory.problems))


def emit(document: msgspec.Struct) -> None:
    """Writes one document to stdout, indented for eyes on a terminal."""
    _write([msgspec.json.encode(document)])


def emit_long(document: msgspec.Struct, lines: Iterable[msgspec.Struct]) -> None:
    """Writes a document whose first field, an empty list, is filled with lines that are written as they come.

    Its other fields may change until the last of them came.
    """
    _write(_parts(document, lines))


def _parts(document: msgspec.Struct, lines: Iterable[msgspec.Struct]) -> Iterator[bytes]:
    encode, comma = msgspec.json.Encoder().encode, b""
    head = encode(document).partition(b"]")[0]
    yield head
    for each in lines:
        yield comma + encode(each)
        comma = b","
    yield encode(document)[len(head) :]


def _write(parts: Iterable[bytes]) -> None:
    out = sys.stdout.buffer
    if sys.stdout.isatty():
        parts = [msgspec.json.format(b"".join(parts), indent=2)]
    out.writelines(parts)
    out.write(b"\n")
