"""The proof of a conversion: both files are read again, and every tensor of the one is compared with the other.

The new file is read by the reader of headers, which knows nothing of how it was written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from modelyard.convert.layout import Item
from modelyard.convert.source import Source, held
from modelyard.convert.strided import rows
from modelyard.formats import safetensors
from modelyard.formats.file import BrokenError
from modelyard.formats.header import Header
from modelyard.formats.known import read_header

UNEQUAL = "unequal"
"""The code of a copy that is not equal: it never gets its name."""


@dataclass(slots=True)
class Digests:
    """The SHA-256 of files, computed beside the comparison by a thread of its own."""

    found: dict[bytes, str] = field(default_factory=dict)
    wrong: list[Exception] = field(default_factory=list)

    def take(self, sources: Sequence[Source]) -> None:
        """Digests one file after the other; what goes wrong is kept for whoever asks."""
        try:
            for each in sources:
                self.found[each.path] = each.digest()
        except (OSError, BrokenError) as error:
            self.wrong.append(error)


@dataclass(slots=True)
class Proof:
    """What a proof found: the SHA-256 of every file by path, and what rounding did, where anything was rounded."""

    digests: dict[bytes, str]
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
    """The SHA-256 of every source and copy. BrokenError, `unequal`, where anything differs.

    `copies` are the tensors, as they lie in the sources, by the file that must hold exactly them.
    """
    digests = Digests()
    proof = Proof(digests.found)
    with ExitStack() as open_:
        again = {name: open_.enter_context(_same(each)) for name, each in (("", source), *others.items())}
        digester = threading.Thread(target=digests.take, args=(list(again.values()),))
        digester.start()
        try:
            for path, items in copies.items():
                _compare(again, path, items, metadata, told, proof)
                with held(path) as copy:
                    digests.found[path] = copy.digest()
        finally:
            digester.join()
    for error in digests.wrong:
        raise error
    for each in (source, *others.values()):
        each.check()
    return proof


@contextmanager
def _same(source: Source) -> Iterator[Source]:
    """A source opened once more, which must be the same file."""
    with held(source.path) as again:
        if (again.seen.st_dev, again.seen.st_ino) != (source.seen.st_dev, source.seen.st_ino):
            raise BrokenError("was replaced while it was read", "changed")
        yield again


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
    seen = 0
    for at, data in stretches:
        if not (_near(copy, item, place, at, data, proof) if item.rounded else
                copy.read(place + at, len(data)) == data):  # fmt: skip
            raise BrokenError(f"was copied wrongly: {tensor.name[:80]!r} differs", UNEQUAL)
        seen += len(data)
    if seen != tensor.bytes:
        raise BrokenError(f"was copied wrongly: {tensor.name[:80]!r} was compared in part alone", UNEQUAL)


def _near(copy: Source, item: Item, place: int, at: int, data: bytes, proof: Proof) -> bool:
    """Whether a stretch of rounded elements is as near as it can be; what the rounding did is counted."""
    from modelyard.convert.rounding import compared, parts, stretch  # late: it needs numpy

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
