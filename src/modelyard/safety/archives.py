"""Scans archives: every member as a real loader would open it, and what readers of the archive disagree on."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable

from msgspec.structs import replace

from modelyard.formats import zips
from modelyard.formats.file import BrokenError, File
from modelyard.formats.zips import Directory, Member
from modelyard.safety.finding import Finding
from modelyard.safety.late import late
from modelyard.safety.others import scan_zipped
from modelyard.safety.pickles import scan_streams
from modelyard.safety.reading import AT_ONCE, Bytes, Report, unpacked
from modelyard.safety.signs import NUMPY
from modelyard.safety.torch_files import RECORDS, Storages, loading, root_of
from modelyard.walk.text import shown

Scan = Callable[[File, str, Report, int], None]
scan_script: Callable[[str, str], list[Finding]] = late("graph_code", "scan_script")
SOURCE = 4 << 20
CHECKED = 16 << 20
"""Bytes of a member whose checksum is worked out."""
ENCRYPTED = 0x1 | 0x40 | 0x2000


def scan_zips(file: File, member: str, report: Report, depth: int, scan: Scan) -> None:
    """Scans a file that begins like a zip archive, and all archives that stand in it behind each other.

    So torch writes distributed checkpoints, and reads each of them by its place.
    """
    stop, place = file.size, member
    read, told = set[int](), set[int]()
    while stop:
        archive = file if stop == file.size else file.part(file.name, 0, stop)
        listing = scan_zip(archive, place, report, depth, scan)
        if listing is None:
            break
        read.add(listing.end)
        told.add(listing.told)
        if listing.behind > 0:
            rest = file.part(file.name, stop - listing.behind, listing.behind)
            scan(rest, inside(place, "behind the archive"), report, depth + 1)
        if listing.behind > 0 and stop < file.size:
            what = f"{listing.behind:,} bytes between two archives"
            report.findings.append(Finding("unaccounted-bytes", "suspicious", what, place))
        stop = min(stop - 1, max(0, listing.before))
        place = inside(member, f"before byte {stop}")
    if told - read:
        _note(report, "archive-mismatch", "its end is told in two places, and readers choose", member)


def scan_zip(file: File, member: str, report: Report, depth: int, scan: Scan) -> Directory | None:
    """Scans a zip archive, and gives its directory.

    Members are read where the directory says, whatever their own headers and flags claim.
    """
    try:
        listing = zips.directory(file)
    except BrokenError as error:
        report.findings.append(Finding("broken-archive", "unknown", str(error), member))
        return None
    _scan_members(file, listing, member, report, depth, scan)
    return listing


def _scan_members(file: File, listing: Directory, member: str, report: Report, depth: int, scan: Scan) -> None:
    _check_names(listing, member, report)
    root = root_of(listing)
    known = scan_zipped(file, tuple(each.name for each in listing.members), member)
    if known is not None:
        report.format = report.format or known[0]
        report.findings += known[1]
    if root is not None:
        _torch(file, listing, root, member, report, depth, scan)
        return
    report.format = report.format or "zip"
    for each in listing.members:
        if not each.name.endswith("/"):
            _scan_member(file, each, member, report, depth, scan)


def _torch(file: File, listing: Directory, root: str, member: str, report: Report, depth: int, scan: Scan) -> None:
    """A torch archive: its pickles, its storages by what they name, and everything else that lies in it."""
    script = any(each.name == f"{root}constants.pkl" for each in listing.members)
    report.format = report.format or ("TorchScript" if script else "PyTorch")
    storages: dict[str, Storages] = {}
    names, protocols = set(), set()
    for each in listing.members:
        name = each.name.removeprefix(root)
        if name not in RECORDS or not name.endswith(".pkl"):
            continue
        inner = opened(file, each, member, report)
        if inner is not None:
            own = storages.setdefault(name.removesuffix(".pkl"), Storages())
            found = scan_streams(Bytes(inner), inside(member, each.name), persistent=own, script=script)
            report.findings += found.findings
            names |= set(found.names)
            protocols |= found.protocols
            if not found.count:
                scan(inner, inside(member, each.name), report, depth + 1)
    for each in listing.members:
        name = each.name.removeprefix(root)
        folder, _, key = name.partition("/")  # torch keeps the storages of each pickle in a folder of its name
        stored = folder in storages and key in storages[folder].sizes
        if script and name.startswith("code/") and name.endswith(".py"):
            _script(file, each, member, report)
        elif stored and not _is_array(file, each):
            continue
        elif name not in RECORDS and not each.name.endswith("/"):
            _scan_member(file, each, member, report, depth, scan)
    if not script and not member:
        report.loads = loading(names, protocols, report.findings)


def _is_array(file: File, each: Member) -> bool:
    """Whether a storage is an array to `numpy.load`, which opens every zip archive."""
    if each.size < len(NUMPY):
        return False
    try:
        return zips.opened(file, replace(each, flags=each.flags & ~ENCRYPTED), len(NUMPY)).head(len(NUMPY)) == NUMPY
    except BrokenError:
        return True


def _script(file: File, each: Member, member: str, report: Report) -> None:
    """Source of TorchScript, which torch compiles: a language of its own that imports nothing."""
    inner = opened(file, each, member, report)
    if inner is not None:
        text = inner.head(min(inner.size, SOURCE)).decode("utf-8", "replace")
        report.findings += scan_script(text, inside(member, each.name))


def _scan_member(file: File, each: Member, member: str, report: Report, depth: int, scan: Scan) -> None:
    inner = opened(file, each, member, report)
    if inner is not None:
        scan(inner, inside(member, each.name), report, depth + 1)


def inside(member: str, name: str) -> str:
    """The place of a member as people read it."""
    name = shown(name[:200])
    return f"{member}!{name}" if member else name


def opened(file: File, each: Member, member: str, report: Report) -> File | None:
    """A member's bytes as a loader sees them; what keeps them from being read is a finding."""
    place = inside(member, each.name)
    try:
        own = zips.local(file, each)
        plain = replace(each, flags=each.flags & ~ENCRYPTED)
        words = [word for word in own.disagreements(each) if word != "encryption" or each.encrypted or own.flags & 1]
        if words:
            _note(report, "archive-mismatch", f"its header and the directory disagree on {', '.join(words)}", place)
        elif each.encrypted:
            _note(report, "archive-mismatch", "it is flagged as encrypted", place)
        found = _bytes_of(file, plain, own.start, report.room())
    except BrokenError as error:
        report.findings.append(Finding("broken-archive", "unknown", str(error), place))
        return None
    if each.method != zips.STORED:
        report.unpacked += found.size
        if found.size < each.size:
            report.findings.append(
                Finding("too-large", "unknown", f"it unpacks to {each.size:,} bytes or is damaged", place)
            )
    _check_sum(found, each, place, report)
    return found


def _bytes_of(file: File, each: Member, start: int, most: int) -> File:
    """A stored member as it lies there, a deflated one unpacked as it is read."""
    if each.method != zips.DEFLATED:
        return zips.opened(file, each, min(most, AT_ONCE))
    packed = file.part(each.name, start, each.packed)
    return unpacked(packed, lambda: zlib.decompressobj(-15), each.name, most)[0]


def _check_sum(found: File, each: Member, place: str, report: Report) -> None:
    """A wrong checksum stops Python's zipfile and not torch."""
    if found.size <= CHECKED and found.size == each.size:
        total, at = 0, 0
        while at < found.size:
            piece = found.at(at, min(1 << 20, found.size - at))
            total, at = zlib.crc32(piece, total), at + len(piece)
        if total != each.crc:
            _note(report, "archive-mismatch", "its checksum is wrong", place)


def _check_names(listing: Directory, member: str, report: Report) -> None:
    names = Counter(each.name for each in listing.members)
    for name in [name for name, count in names.items() if count > 1][:8]:
        _note(report, "archive-mismatch", "several members have this name, and readers choose", inside(member, name))
    for each in listing.members:
        parts = each.name.replace("\\", "/").split("/")
        if ".." in parts or each.name.startswith(("/", "\\")) or each.name[1:2] == ":":
            _note(
                report, "path-escape", "it would be unpacked outside its folder", inside(member, each.name), "dangerous"
            )
        if each.is_link:
            _note(report, "path-escape", "it would be unpacked as a symbolic link", inside(member, each.name))


def _note(report: Report, code: str, what: str, place: str, severity: str = "suspicious") -> None:
    report.findings.append(Finding(code, "dangerous" if severity == "dangerous" else "suspicious", what, place))
