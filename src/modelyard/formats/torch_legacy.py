"""torch.save before 1.6: five pickles behind each other, then the storages.

Layout: `_legacy_save` and `_legacy_load` in torch's `serialization.py`.
"""

from __future__ import annotations

import re
import struct

from modelyard.formats.dtypes import WIDTHS
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header
from modelyard.formats.pickles import Listed, Stream, follow
from modelyard.formats.sniffing import Head
from modelyard.formats.torch_values import Place, Tensors, loading, storage_of, title_of
from modelyard.formats.value_walk import arrays, plain

TITLE = "PyTorch, before 1.6"
MAGIC = re.compile(rb"(?s)\x80[\x02-\x05](?:\x95.{8})?\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19")


def sniff(head: Head) -> bool:
    """A pickle of torch's magic number."""
    return bool(MAGIC.match(head.data))


@told
def read(file: File) -> Header:
    """The tensors of the fourth pickle, with offsets behind the fifth."""
    at, streams = 0, []
    for _ in range(5):
        stream = follow(file, at)
        streams.append(stream)
        at = stream.end
    saved = streams[3]
    if not isinstance(streams[4].value, Listed):
        raise BrokenError("has no list of its storages")
    places, end = _places(file, saved, [str(key) for key in streams[4].value.items], at)
    describe = Tensors(places.get)
    tensors = tuple(arrays(saved.value, describe))
    return Header(
        TITLE,
        str(streams[1].value),
        tensors,
        complete=not describe.short and end <= file.size,
        architecture=title_of(saved.value),
        framework="PyTorch",
        metadata=plain(saved.value),
        loads=loading(saved.names),
        notes=(f"{file.size - end:,} bytes lie behind the last storage",) if end < file.size else (),
    )


def _places(file: File, saved: Stream, keys: list[str], at: int) -> tuple[dict[str, Place], int]:
    """Where each storage lies, and where the last one ends."""
    widths = {}
    for each in saved.persistent:
        storage = storage_of(each)
        if storage:
            widths[storage.key] = WIDTHS.get(storage.dtype, 1)
    places: dict[str, Place] = {}
    for key in keys:
        if at + 8 > file.size:
            return places, file.size + 1
        (count,) = struct.unpack("<q", file.at(at, 8))
        if count < 0 or key not in widths:
            raise BrokenError(f"has a storage {key[:40]!r} that nothing describes")
        size = count * widths[key]
        places[key] = Place(at + 8, "", min(size, max(file.size - at - 8, 0)))
        at += 8 + size
    return places, at
