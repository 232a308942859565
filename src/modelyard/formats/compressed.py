"""A packed file: what it holds is looked at, as far as its first bytes reach."""

from __future__ import annotations

from msgspec.structs import replace

from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header
from modelyard.formats.packed import packer, unpacked
from modelyard.formats.sniffing import Head
from modelyard.problem import Problem

TITLE = "packed file"


def sniff(head: Head) -> bool:
    """The first bytes of a packer."""
    return bool(packer(head.data[:16]))


@told
def read(file: File) -> Header:
    """The header of what is inside; its tensors have no offset, for they are no byte range of the file."""
    name = packer(file.head(16))
    inside = unpacked(file)
    found = inside.header()
    if isinstance(found, Problem):
        raise BrokenError(f"is packed by {name}, and what is inside {found.message}", found.code)
    tensors = tuple(replace(each, offset=None) for each in found.tensors)
    note = f"packed by {name}" + (f"; only the first {inside.size:,} bytes were unpacked" if inside.cut else "")
    return replace(
        found, format=f"{found.format}, packed by {name}", tensors=tensors, notes=(note, *found.notes), complete=True
    )
