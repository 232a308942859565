"""Scans tar archives: every member, links and paths that lead outside, and torch's files of before 0.1.10."""

from __future__ import annotations

from collections.abc import Callable

from modelyard.formats.file import BrokenError, File
from modelyard.safety.finding import Finding
from modelyard.safety.pickles import scan_streams
from modelyard.safety.reading import Bytes, Report
from modelyard.safety.torch_files import Storages
from modelyard.walk.text import shown

BLOCK = 512
MOST = 65_536
LINKS = (b"1", b"2")
FILES = (b"0", b"\0", b"7")
LONG_NAME = b"L"
TORCH = ("storages", "tensors", "pickle")


def is_tar(head: bytes) -> bool:
    """Whether a file begins like a tar archive: by its magic, or by a header whose checksum is right."""
    return head[257:262] == b"ustar" or (len(head) >= BLOCK and head[0] != 0 and _sum_is_right(head[:BLOCK]))


def _sum_is_right(header: bytes) -> bool:
    told = _number(header[148:156])
    return told is not None and told == sum(header[:148]) + 8 * 32 + sum(header[156:BLOCK])


def _number(field: bytes) -> int | None:
    """A number in octal, or in binary where the first bit is set."""
    if field[:1] >= b"\x80":
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.split(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        return None


def scan_tar(
    file: File, member: str, report: Report, depth: int, scan: Callable[[File, str, Report, int], None]
) -> None:
    """Scans every member. A header that makes no sense ends the walk with a finding."""
    report.format = report.format or "tar"
    at, count, name_before = 0, 0, ""
    while at + BLOCK <= file.size:
        header = file.at(at, BLOCK)
        if not header.strip(b"\0"):
            return
        size = _number(header[124:136])
        if size is None or not _sum_is_right(header) or count >= MOST or at + BLOCK + size > file.size:
            report.findings.append(
                Finding("broken-archive", "unknown", "its members cannot be listed to the end", member, at)
            )
            return
        kind = header[156:157]
        inner = file.part(file.name, at + BLOCK, size)
        if kind == LONG_NAME:
            name_before = inner.head(4096).rstrip(b"\0").decode("utf-8", "replace")
        else:
            prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
            raw = b"/".join(part for part in (prefix, header[:100].split(b"\0")[0]) if part)
            _one(inner, name_before or raw.decode("utf-8", "replace"), kind, member, report, depth, scan)
            name_before = ""
        at += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK
        count += 1


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
            found = scan_streams(Bytes(inner), place, most=2, persistent=Storages(legacy=True))
        except BrokenError as error:
            report.findings.append(Finding("broken-archive", "unknown", str(error), place))
            return
        report.findings += [each for each in found.findings if name == "pickle" or each.severity == "dangerous"]
    elif kind in FILES:
        scan(inner, place, report, depth)
