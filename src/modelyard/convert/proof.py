"""The proof of a conversion: both files are read again, and every tensor of the one is compared with the other.

The new file is read by the reader of headers, which knows nothing of how it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from msgspec import Struct

from modelyard.convert.beside import same
from modelyard.convert.layout import Item
from modelyard.convert.rounding import compared, parts, stretch
from modelyard.convert.source import PIECE, Source, held
from modelyard.convert.strided import rows
from modelyard.formats import safetensors
from modelyard.formats.file import BrokenError
from modelyard.formats.header import Header
from modelyard.formats.known import read_header

UNEQUAL = "unequal"
"""The code of a copy that is not equal: it never gets its name."""


class Proof(Struct):
    """What a comparison found: what rounding did, where anything was rounded."""

    rounded: int = 0
    largest: float = 0.0
    overflowed: int = 0


def prove(
    source: Source,
    others: Mapping[str, Source],
    copies: Mapping[bytes, Sequence[Item]],
    metadata: Mapping[str, str],
    told: Callable[[int], None],
) -> Proof:
    """Compares everything. BrokenError, `unequal`, where anything differs.

    `copies` are the tensors, as they lie in the sources, by the file that must hold exactly them.
    """
    proof = Proof()
    with ExitStack() as open_:
        again = {name: open_.enter_context(same(each)) for name, each in (("", source), *others.items())}
        for path, items in copies.items():
            _compare(again, path, items, metadata, told, proof)
    return proof


def _compare(
    sources: Mapping[str, Source],
    path: bytes,
    items: Sequence[Item],
    metadata: Mapping[str, str],
    told: Callable[[int], None],
    proof: Proof,
) -> None:
    """One copy: its table against what was wanted, then every element."""
    header = read_header(path.decode("utf-8", "surrogateescape"))
    if not isinstance(header, Header) or not header.complete or header.notes:
        why = header.notes[0] if isinstance(header, Header) and header.notes else "its table cannot be read"
        raise BrokenError(f"was copied wrongly: {why}", UNEQUAL)
    wanted = {each.tensor.name: (each.dtype, each.tensor.shape, each.bytes) for each in items}
    if wanted != {each.name: (each.dtype, each.shape, each.bytes) for each in header.tensors}:
        raise BrokenError("was copied wrongly: the copy has other tensors", UNEQUAL)
    if header.format == safetensors.TITLE and any(metadata.get(key) != text for key, text in header.metadata):
        raise BrokenError("was copied wrongly: the copy has other texts", UNEQUAL)
    places = {each.name: each.offset or 0 for each in header.tensors}
    with held(path) as copy:
        for each in items:
            _equal(sources[each.tensor.file], copy, each, places[each.tensor.name], proof)
            told(each.tensor.bytes)


def _equal(source: Source, copy: Source, item: Item, place: int, proof: Proof) -> None:
    tensor = item.tensor
    assert tensor.offset is not None or not tensor.elements
    dense = tensor.strides is None
    stretches = source.pieces(tensor.offset or 0, tensor.bytes) if dense else rows(tensor, source.read)
    seen, room = 0, bytearray(min(PIECE, tensor.bytes))
    for at, data in stretches:
        if not (_near(copy, item, place, at, data, proof) if item.rounded else copy.equal(place + at, data, room)):
            raise BrokenError(f"was copied wrongly: {tensor.name[:80]!r} differs", UNEQUAL)
        seen += len(data)
    if seen != tensor.bytes:
        raise BrokenError(f"was copied wrongly: {tensor.name[:80]!r} was compared in part alone", UNEQUAL)


def _near(copy: Source, item: Item, place: int, at: int, data: bytes | memoryview, proof: Proof) -> bool:
    """Whether a stretch of rounded elements is as near as it can be; what the rounding did is counted."""
    kinds = item.tensor.dtype, item.dtype
    for begins, part in parts(at, data):
        start, end = stretch(*kinds, begins), stretch(*kinds, begins + len(part))
        found = compared(part, kinds[0], copy.read(place + start, end - start), kinds[1])
        proof.rounded += end // 2 - start // 2
        proof.largest = max(proof.largest, found.largest)
        proof.overflowed += found.overflowed
        if found.wrong:
            return False
    return True
