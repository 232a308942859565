"""Several arrays of numpy, `.npz`: a zip archive of `.npy` members."""

from __future__ import annotations

from msgspec.structs import replace

from modelyard.formats.file import File, told
from modelyard.formats.header import Header, Tensor
from modelyard.formats.sniffing import Head
from modelyard.formats.zips import directory, opened, start_of
from modelyard.problem import Problem

TITLE = "NumPy arrays"


def sniff(head: Head) -> bool:
    """An archive of nothing but arrays."""
    return bool(head.names) and all(name.endswith(".npy") for name in head.names)


@told
def read(file: File) -> Header:
    """The arrays by the names of their members; packed ones have no offset."""
    tensors: list[Tensor] = []
    notes: list[str] = []
    for member in directory(file).members:
        inside = opened(file, member, 65536).header()
        if isinstance(inside, Problem):
            notes.append(f"{member.name}: {inside.message}")
            continue
        start = start_of(file, member)
        tensors += [
            replace(
                each,
                name=member.name.removesuffix(".npy"),
                member=member.name,
                offset=None if start is None or each.offset is None else start + each.offset,
            )
            for each in inside.tensors
        ]
    objects = any(each.dtype.startswith("O") for each in tensors)
    load = "numpy.load(path, allow_pickle=True), which runs code: see `modelyard scan`"
    return Header(
        TITLE,
        tensors=tuple(tensors),
        framework="NumPy",
        loads=(load if objects else "numpy.load(path)",),
        notes=tuple(notes[:20]),
    )
