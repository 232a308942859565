"""Attributes of HDF5 that PyTables unpickles when they are looked at, as pandas does with every HDFStore.

From tables/attributeset.py, `AttributeSet.__getattr__`: one text of more than two bytes that ends with a dot is a
pickle, whoever wrote it. From tables/atom.py: rows of a node whose PSEUDOATOM is `object` are pickles, too.
"""

from __future__ import annotations

from modelyard.formats.file import BrokenError
from modelyard.formats.hdf5_objects import Hdf5, Message
from modelyard.formats.hdf5_rows import rows
from modelyard.formats.hdf5_values import byte_texts
from modelyard.safety.finding import Finding
from modelyard.safety.pickles import scan_streams
from modelyard.safety.reading import Bytes
from modelyard.safety.stream import Memory
from modelyard.walk.text import shown

INFO = 21
"""The message that says where attributes lie that do not fit into an object's header."""
LEAST, LONGEST = 3, 16 << 20
"""Bytes of a text that can be a pickle, and of one that is read."""


def scan_attributes(messages: list[Message], file: Hdf5, member: str) -> list[Finding]:
    """What reading the attributes of an object with PyTables would execute."""
    findings: list[Finding] = []
    for name, text in byte_texts(messages, file, LONGEST):
        place = f"{member}!@{shown(name[:200])}" if member else f"@{shown(name[:200])}"
        if text is None:
            findings.append(Finding("unsupported", "unknown", "an attribute whose type is written elsewhere", place))
        elif name == "PSEUDOATOM" and text.rstrip(b"\0") == b"object":
            findings += _rows(messages, file, member)
        else:
            findings += _pickled(text, place)
    for each in messages:
        if each.kind == INFO and _is_elsewhere(each.data, file):
            findings.append(Finding("unsupported", "unknown", "attributes kept in a way that is not read", member))
    return findings


def _rows(messages: list[Message], file: Hdf5, member: str) -> list[Finding]:
    """What reading rows that are pickles would execute."""
    findings: list[Finding] = []
    try:
        for each in rows(messages, file):
            place = f"{member}!{each.name}" if member else each.name
            findings += scan_streams(Bytes(each), place).findings if each.size else []
    except BrokenError as error:
        what = f"it {error}, and they are pickles"
        findings.append(Finding("unsupported", "unknown", what, member))
    return findings


def _pickled(text: bytes, place: str) -> list[Finding]:
    """What a text does that may be a pickle: a sentence ends with a dot, too, and makes no sense as one."""
    if len(text) == LONGEST:
        return [Finding("too-long", "unknown", "a text that is longer than what is read", place)]
    data = text.rstrip(b"\0")
    if len(data) < LEAST or not data.endswith(b"."):
        return []
    found = scan_streams(Memory(data), place)
    return found.findings if found.count or found.reached else []


def _is_elsewhere(data: bytes, file: Hdf5) -> bool:
    at = 2 + (2 if data[1] & 1 else 0)
    return not file.missing(int.from_bytes(data[at : at + file.wide], "little"))
