"""Scans tar archives: every member, links and paths that lead outside, and torch's files of before 0.1.10."""

from __future__ import annotations

import re
from collections.abc import Callable

from modelyard.formats.file import BrokenError, File
from modelyard.safety.finding import Finding
from modelyard.safety.reading import Bytes, Report
from modelyard.safety.signs import BLOCK, sum_is_right, tar_number
from modelyard.safety.torch_files import scan_tar_part
from modelyard.walk.text import shown

MOST = 65_536
LINKS = (b"1", b"2")
FILES = (b"0", b"\0", b"7")
LONG_NAME = b"L"
EXTENDED = (b"x", b"g", b"X")
OTHERS = (b"K", b"3", b"4", b"5", b"6")
"""Kinds that hold no file: names of links, devices, folders, pipes."""
RECORD = re.compile(rb"(\d{1,7}) ([^=]{1,200})=")
TORCH = ("storages", "tensors", "pickle")


def scan_tar(
    file: File, member: str, report: Report, depth: int, scan: Callable[[File, str, Report, int], None]
) -> None:
    """Scans every member. A header that makes no sense ends the walk with a finding."""
    report.format = report.format or "tar"
    at, count, told = 0, 0, dict[str, str]()
    while at + BLOCK <= file.size:
        header = file.at(at, BLOCK)
        if not header.strip(b"\0"):
            _behind(file, at, member, report)
            return
        size = tar_number(header[124:136])
        if size is None or not sum_is_right(header) or count >= MOST or at + BLOCK + size > file.size:
            report.findings.append(
                Finding("broken-archive", "unknown", "its members cannot be listed to the end", member, at)
            )
            return
        kind = header[156:157]
        inner = file.part(file.name, at + BLOCK, size)
        if kind == LONG_NAME:
            told["path"] = inner.head(4096).rstrip(b"\0").decode("utf-8", "replace")
        elif kind in EXTENDED:
            told |= _extended(inner)
        elif kind not in OTHERS:
            if told.get("size", str(size)) != str(size) or any(key.startswith("GNU.sparse") for key in told):
                what = "a member has two sizes, and readers choose"
                report.findings.append(Finding("archive-mismatch", "unknown", what, member, at))
            _one(inner, told.get("path", "") or _name(header), kind, member, report, depth, scan)
            told = {}
        at += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK
        count += 1


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


def _one(
    inner: File,
    name: str,
    kind: bytes,
    member: str,
    report: Report,
    depth: int,
    scan: Callable[[File, str, Report, int], None],
) -> None:
    place = f"{member}!{shown(name[:200])}" if member else shown(name[:200])
    if name.startswith("/") or ".." in name.replace("\\", "/").split("/"):
        report.findings.append(Finding("path-escape", "dangerous", "it would be unpacked outside its folder", place))
    if kind in LINKS:
        report.findings.append(Finding("path-escape", "suspicious", "it would be unpacked as a link", place))
    elif kind in FILES and name in TORCH:
        try:
            report.findings += scan_tar_part(Bytes(inner), place, name)
        except (BrokenError, OSError) as error:
            report.findings.append(Finding("broken-archive", "unknown", str(error), place))
    else:  # tarfile takes kinds that it does not know for plain files
        scan(inner, place, report, depth)
