"""A zip or tar archive of anything: the models inside are told by their content."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import Head
from modelyard.formats.tars import entries, is_tar
from modelyard.formats.zips import directory, is_zip, opened

TITLE = "archive"
MOST_LOOKED_AT = 256
LEAST = 16
"""Bytes: what is smaller is no model."""


def sniff(head: Head) -> bool:
    """The first bytes of an archive."""
    return is_zip(head.data) or is_tar(head.data)


@told
def read(file: File) -> Header:
    """The headers of the models inside; members that are none are counted only."""
    head = file.head(512)
    notes: list[str] = []
    if is_zip(head):
        found = directory(file)
        count, whole, kind = len(found.members), True, "zip archive"
        if any(each.encrypted for each in found.members):
            notes.append("members need a password")
    else:
        listed, whole = entries(file)
        count, kind = len(listed), "tar archive"
    parts: list[tuple[str, Header]] = []
    for name, inside in _members(file):
        if isinstance(inside, str):
            notes.append(f"{name}: {inside}")
            continue
        header = inside.header()
        if isinstance(header, Header):
            parts.append((name, header))
        elif header.code != "unknown":
            notes.append(f"{name}: {header.message}")
    if count > MOST_LOOKED_AT:
        notes.append(f"only the first {MOST_LOOKED_AT} members were looked at")
    return Header(
        kind,
        complete=whole or file.cut,
        metadata=(("members", f"{count:,}"),),
        notes=tuple(notes[:20]),
        parts=tuple(parts),
    )


def _members(file: File) -> Iterator[tuple[str, File | str]]:
    """The members that may be models, as files; a sentence for one that cannot be read."""
    if is_zip(file.head(4)):
        for member in directory(file).members[:MOST_LOOKED_AT]:
            if member.size < LEAST or member.encrypted:
                continue
            try:
                yield member.name, opened(file, member, 1 << 20)
            except BrokenError as error:
                yield member.name, str(error)
        return
    for entry in entries(file)[0][:MOST_LOOKED_AT]:
        if entry.kind not in "07" or entry.size < LEAST:
            continue
        if entry.offset + entry.size <= file.size:
            yield entry.name, file.part(entry.name, entry.offset, entry.size)
        elif not file.cut:
            yield entry.name, "the archive ends within it"
