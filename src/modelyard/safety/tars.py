"""Scans tar archives: every member, links and paths that lead outside, and torch's files of before 0.1.10.

Headers are walked as Python's tarfile walks them; where others would walk on elsewhere, the archive is unknown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from msgspec import Struct, field

from modelyard.formats.file import BrokenError, File
from modelyard.safety.finding import Finding, Verdict
from modelyard.safety.links import Named, Way, judged, landing, leads_outside, way
from modelyard.safety.reading import Bytes, Report
from modelyard.safety.signs import BLOCK, TAR_PARTS, sum_is_right, tar_number, telling
from modelyard.safety.torch_files import scan_tar_part
from modelyard.walk.text import shown

MOST = 65_536
LINKS = (b"1", b"2")
FILES = (b"0", b"\0", b"7")
LONG_NAME = b"L"
EXTENDED = (b"x", b"g", b"X")
LONG_LINK = b"K"
EMPTY = (*LINKS, b"3", b"4", b"5", b"6")
"""Kinds without bytes, whatever size they tell: links, devices, folders, pipes."""
SPARSE = b"S"
OTHER_NAMES = 8
"""Names by which one member is looked at; time zones have fifty, of which none decides anything."""
RECORD = re.compile(rb"(\d{1,7}) ([^=]{1,200})=")


class _Member(Struct, frozen=True):
    """A member, with what its longer headers say of it."""

    name: str
    kind: bytes
    inner: File
    target: str


class _Tar(Struct, frozen=True):
    """An archive while it is scanned."""

    file: File
    member: str
    report: Report
    depth: int
    scan: Callable[[File, str, Report, int], None]
    everywhere: dict[str, str] = field(default_factory=dict)
    """What a header for all members behind it says."""

    def place(self, name: str) -> str:
        return f"{self.member}!{shown(name[:200])}" if self.member else shown(name[:200])

    def note(self, code: str, severity: Verdict, what: str, place: str, at: int | None = None) -> None:
        self.report.findings.append(Finding(code, severity, what, place, at))


def scan_tar(
    file: File, member: str, report: Report, depth: int, scan: Callable[[File, str, Report, int], None]
) -> None:
    """Scans every member. A header that makes no sense ends the walk with a finding."""
    report.format = report.format or "tar"
    tar = _Tar(file, member, report, depth, scan)
    members = []
    for each in _members(tar):
        members.append(each)
        if leads_outside(each.name):
            tar.note("path-escape", "dangerous", "it would be unpacked outside its folder", tar.place(each.name))
        if each.kind not in EMPTY:
            _one(tar, each.inner, each.name)
    _links(tar, members)


def _members(tar: _Tar) -> Iterator[_Member]:
    """The members, one header after the other."""
    file, at, count, told = tar.file, 0, 0, dict[str, str]()
    while at + BLOCK <= file.size:
        header = file.at(at, BLOCK)
        if not header.strip(b"\0"):
            _behind(file, at, tar.member, tar.report)
            return
        size, kind = tar_number(header[124:136]), _kind(header)
        length = 0 if kind in EMPTY else size or 0
        if size is None or not sum_is_right(header) or count >= MOST or at + BLOCK + length > file.size:
            tar.note("broken-archive", "unknown", "its members cannot be listed to the end", tar.member, at)
            return
        inner = file.part(file.name, at + BLOCK, length)
        if kind == LONG_NAME:
            told["path"] = inner.head(4096).rstrip(b"\0").decode("utf-8", "replace")
        elif kind == LONG_LINK:
            told["linkpath"] = inner.head(4096).rstrip(b"\0").decode("utf-8", "replace")
        elif kind in EXTENDED:
            found = tar.everywhere if kind == b"g" else told
            found |= _extended(inner)
        else:
            told = tar.everywhere | told
            if _has_two_sizes(kind, size, told):
                tar.note("archive-mismatch", "unknown", "a member has two sizes, and readers choose", tar.member, at)
            target = told.get("linkpath", "") or header[157:257].split(b"\0")[0].decode("utf-8", "replace")
            yield _Member(told.get("path", "") or _name(header), kind, inner, target)
            told = {}
        at += BLOCK + (length + BLOCK - 1) // BLOCK * BLOCK
        count += 1


def _has_two_sizes(kind: bytes, size: int, told: dict[str, str]) -> bool:
    """Whether readers disagree on where a member ends, or on what lies in the holes of one that has some."""
    sparse = kind == SPARSE or any(key.startswith("GNU.sparse") for key in told)
    return sparse or told.get("size", str(size)) != str(size) or (kind in EMPTY and size > 0)


def _kind(header: bytes) -> bytes:
    """The kind of a member; the oldest archives had none for folders, whose names end with a slash."""
    kind = header[156:157]
    return b"5" if kind == b"\0" and header[:100].split(b"\0")[0].endswith(b"/") else kind


def _name(header: bytes) -> str:
    prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    raw = b"/".join(part for part in (prefix, header[:100].split(b"\0")[0]) if part)
    return raw.decode("utf-8", "replace")


def _extended(inner: File) -> dict[str, str]:
    """The records of a pax header, which overrule those of the member behind it: a length, a key, a value."""
    data, found = inner.head(1 << 20), {}
    while match := RECORD.match(data):
        record = data[: int(match[1])]
        value = record[match.end() :].removesuffix(b"\n")
        found[match[2].decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        data = data[max(1, int(match[1])) :]
    return found


def _behind(file: File, at: int, member: str, report: Report) -> None:
    """What stands behind the end of the archive: nothing but zeros in honest ones."""
    while at < file.size:
        piece = file.at(at, min(1 << 20, file.size - at))
        if piece.strip(b"\0"):
            what = f"{file.size - at:,} bytes behind the end of the archive"
            report.findings.append(Finding("unaccounted-bytes", "suspicious", what, member, at))
            return
        at += len(piece)


def _links(tar: _Tar, members: list[_Member]) -> None:
    """Judges links by where they lead, and scans what they lead to by their names too, which decide what reads it."""
    named = [Named(each.name, each.target if each.kind in LINKS else None, each.kind == LINKS[0]) for each in members]
    for at, severity, what in judged(named):
        tar.note("path-escape", severity, what, tar.place(members[at].name))
    held: dict[Way, list[_Member]] = {}
    for member in members:
        if member.kind not in EMPTY:
            held.setdefault(way(member.name), []).append(member)
    leads = {way(each.name): landing(each) for each in named if each.target is not None}
    known = {(end, telling(end[-1])) for end in held}
    counts = Counter[Way]()
    for each in named:
        end = _end(landing(each), leads) if each.target is not None else ()
        told = telling(way(each.name)[-1]) if end in held else ""
        if end not in held or (end, told) in known:
            continue
        known.add((end, told))
        counts[end] += 1
        if counts[end] <= OTHER_NAMES:
            for found in held[end]:
                _one(tar, found.inner, each.name)
        elif counts[end] == OTHER_NAMES + 1:
            tar.note("too-long", "unknown", "more links lead to it than are followed", tar.place("/".join(end)))


def _end(path: Way | None, leads: dict[Way, Way | None]) -> Way:
    """What a link leads to at last, through other links; nothing where that is outside, or goes around in a circle."""
    for _ in range(len(leads) + 1):
        if path is None or path not in leads:
            return path or ()
        path = leads[path]
    return ()


def _one(tar: _Tar, inner: File, name: str) -> None:
    """Scans a member; tarfile takes kinds that it does not know for plain files."""
    place = tar.place(name)
    if name not in TAR_PARTS:
        tar.scan(inner, place, tar.report, tar.depth + 1)
        return
    try:
        tar.report.findings += scan_tar_part(Bytes(inner), place, name)
    except (BrokenError, OSError) as error:
        tar.note("broken-archive", "unknown", str(error), place)
