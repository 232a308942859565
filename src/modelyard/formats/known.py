"""Every format that modelyard reads: one module each, listed here, the more particular ones first."""

from __future__ import annotations

from modelyard.formats import gguf, safetensors, torch_zip
from modelyard.formats.file import BrokenError, File, looked_into, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import LENGTH, Format, Head
from modelyard.formats.zips import directory, is_zip
from modelyard.problem import Problem

FORMATS: tuple[Format, ...] = (safetensors, gguf, torch_zip)


def format_of(file: File) -> Format | None:
    """The format of a file by its content. BrokenError for an archive that cannot be listed."""
    data = file.head(LENGTH)
    names: tuple[str, ...] = ()
    if is_zip(data):
        names = tuple(each.name for each in directory(file).members)
    head = Head(data, names)
    return next((each for each in FORMATS if each.sniff(head)), None)


@told
def _read(file: File) -> Header:
    found = format_of(file)
    if found is None:
        raise BrokenError("is no model file of a format that is known", "unknown")
    header = found.read(file)
    if isinstance(header, Problem):
        raise BrokenError(header.message, header.code)
    return header


def read_header(path: str) -> Header | Problem:
    """The header of a file, by content and never by its name. Reads headers and pickle streams, no tensors."""
    with looked_into(path) as file:
        if isinstance(file, Problem):
            return file
        file.reader = _read
        return _read(file)
