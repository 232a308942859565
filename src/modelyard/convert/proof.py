"""The proof of a conversion: both files are read again, and every tensor of the one is compared with the other.

The new file is read by the reader of headers, which knows nothing of how it was written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from modelyard.convert.source import Source, held
from modelyard.convert.strided import rows
from modelyard.formats.file import BrokenError
from modelyard.formats.header import Header, Tensor
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


def prove(
    source: Source, copies: Mapping[bytes, Sequence[Tensor]], metadata: Mapping[str, str], told: Callable[[int], None]
) -> dict[bytes, str]:
    """The SHA-256 of the source and of each copy, by path. BrokenError, `unequal`, where anything differs.

    `copies` are the tensors, as they lie in the source, by the file that must hold exactly them.
    """
    digests = Digests()
    with held(source.path) as again:
        if (again.seen.st_dev, again.seen.st_ino) != (source.seen.st_dev, source.seen.st_ino):
            raise BrokenError("was replaced while it was read", "changed")
        digester = threading.Thread(target=digests.take, args=([again],))
        digester.start()
        try:
            for path, tensors in copies.items():
                _compare(again, path, tensors, metadata, told)
                with held(path) as copy:
                    digests.found[path] = copy.digest()
        finally:
            digester.join()
    for error in digests.wrong:
        raise error
    source.check()
    return digests.found


def _compare(
    source: Source, path: bytes, tensors: Sequence[Tensor], metadata: Mapping[str, str], told: Callable[[int], None]
) -> None:
    """One copy: its table against what was wanted, then every element."""
    header = read_header(path.decode("utf-8", "surrogateescape"))
    if not isinstance(header, Header) or not header.complete or header.notes:
        why = header.notes[0] if isinstance(header, Header) and header.notes else "its table cannot be read"
        raise BrokenError(f"was copied wrongly: {why}", UNEQUAL)
    wanted = {each.name: (each.dtype, each.shape, each.bytes) for each in tensors}
    if wanted != {each.name: (each.dtype, each.shape, each.bytes) for each in header.tensors}:
        raise BrokenError("was copied wrongly: the copy has other tensors", UNEQUAL)
    if any(metadata.get(key) != text for key, text in header.metadata):
        raise BrokenError("was copied wrongly: the copy has other texts", UNEQUAL)
    places = {each.name: each.offset or 0 for each in header.tensors}
    with held(path) as copy:
        for each in tensors:
            _equal(source, copy, each, places[each.name])
            told(each.bytes)


def _equal(source: Source, copy: Source, tensor: Tensor, place: int) -> None:
    assert tensor.offset is not None or not tensor.elements
    dense = tensor.strides is None
    stretches = source.pieces(tensor.offset or 0, tensor.bytes) if dense else rows(tensor, source.read)
    compared = 0
    for at, data in stretches:
        if copy.read(place + at, len(data)) != data:
            raise BrokenError(f"was copied wrongly: {tensor.name[:80]!r} differs", UNEQUAL)
        compared += len(data)
    if compared != tensor.bytes:
        raise BrokenError(f"was copied wrongly: {tensor.name[:80]!r} was compared in part alone", UNEQUAL)
