"""Scans one file by its content: what it is, and what each way of loading it would execute."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from os.path import basename, splitext

from modelyard.formats.file import BrokenError, File, held, looked_into
from modelyard.formats.hdf5_objects import beginning
from modelyard.formats.zips import END, is_zip
from modelyard.problem import Problem
from modelyard.safety.archives import scan_zip, scan_zips
from modelyard.safety.finding import Finding, Scanned
from modelyard.safety.glance import LONGEST, glance
from modelyard.safety.late import late
from modelyard.safety.others import guarded, scan_known
from modelyard.safety.path_files import TITLE, scan_path_file
from modelyard.safety.pickles import Streams, scan_streams, shortly
from modelyard.safety.plain import followed
from modelyard.safety.reading import (
    DEEPEST,
    Bytes,
    Report,
    Unpacker,
    compressor,
    start_of_packed,
    unlimited,
    unpacked,
)
from modelyard.safety.signs import NOT_OPENED, NUMPY, OFTEN, PACKED, PICKLED, is_hdf5, is_tar
from modelyard.safety.torch_files import legacy, loading

Into = Callable[[File, str, Report, int, Callable[[File, str, Report, int], None]], None]
scan_arrays: Into = late("numpy_files", "scan_arrays")
scan_tar: Into = late("tars", "scan_tar")
scan_hdf5: Callable[[File, str], list[Finding]] = late("keras", "scan_hdf5")
TELLING = ("dangerous-name", "dangerous-call", "unvetted-call", "unvetted-arguments", "computed-name", "computed-call",
           "changed-name", "extension-code", "hooked-object", "kept-callable")  # fmt: skip
"""What text and bytes of other kinds do not come to by chance."""
LOOKING = ("dangerous-name", "computed-name", "extension-code")
"""Of those what they do come to before they break off: two lines that begin with a `c` look a name up, one byte is an
extension code. Looked up and never called, it reaches nothing."""
FRAME = b"\x95"
AT_ONCE_BROKEN = 64
"""Bytes in which chance comes to its end."""


def scan_file(path: str, data: bytes | None = None) -> Scanned:
    """What loading a file would execute. Reads it, and runs nothing; what cannot be read is `unknown`, never safe.

    `data` is what it holds, where all of it was read before and one look at it did not do.
    """
    report = Report()
    meter = unlimited()
    with looked_into(path, meter) if data is None else nullcontext(held(path, data, meter)) as file:
        if isinstance(file, Problem):
            return Scanned(path, "", (Finding("unreadable", "unknown", file.message),))
        try:
            if data is None:
                scan(file, "", report, 0)
            else:
                _scan_closely(file, data, "", report, 0)
        except (BrokenError, OSError) as error:
            report.findings.append(Finding("unreadable", "unknown", f"it cannot be read to its end: {error}"))
    return Scanned(path, report.format, tuple(dict.fromkeys(report.findings)), report.loads)


def scan(file: File, member: str, report: Report, depth: int) -> None:
    """Scans a file or a member of one into a report: as what it is, and as what some readers take it for."""
    if depth > DEEPEST:
        report.findings.append(Finding("too-deep", "unknown", "archives lie too deep inside each other", member))
        return
    head = file.head(LONGEST)
    if len(head) == file.size and (known := glance(basename(member.rpartition("!")[2] or file.name), head)) is not None:
        report.format = report.format or known
    else:
        _scan_closely(file, head, member, report, depth)


def _scan_closely(file: File, head: bytes, member: str, report: Report, depth: int) -> None:
    if is_zip(head):
        scan_zips(file, member, report, depth, scan)
        return
    whole = len(head) == file.size  # what is looked for anywhere in it is in its head
    _scan_first(file, head, member, report, depth)
    if not is_hdf5(head) and beginning(file) is not None:
        report.format = report.format or "HDF5"
        report.findings += guarded(scan_hdf5, file, member)
    if not whole or END in head:
        _scan_behind(file, member, report, depth)


def _scan_first(file: File, head: bytes, member: str, report: Report, depth: int) -> None:
    """Scans a file as what its first bytes say."""
    packed = next((name for magic, name in NOT_OPENED if head.startswith(magic)), "")
    if head.startswith(NUMPY):
        scan_arrays(file, member, report, depth, scan)
    elif is_tar(head):
        scan_tar(file, member, report, depth, scan)
        _scan_twice(file, member, report)
    elif (
        head.startswith(PACKED)
        and (engine := compressor(head)) is not None
        and _is_unpacked(file, member, report, depth, *engine)
    ):
        return
    elif packed:
        report.format = report.format or packed
        report.findings.append(Finding("unsupported", "unknown", f"{packed} archives are not opened", member))
    elif (known := scan_known(file, head, member)) is not None:
        report.format = report.format or known[0]
        report.findings += known[1]
        _scan_twice(file, member, report)
    else:
        _scan_other(file, member, report)


def _is_unpacked(
    file: File, member: str, report: Report, depth: int, name: str, engine: Callable[[], Unpacker]
) -> bool:
    """Scans what a packed file holds; False where it only looked packed."""
    start = start_of_packed(file)
    source = file.part(file.name, start, file.size - start) if start else file
    inner, wrong = unpacked(source, engine, file.name, report.room())
    if not inner.size:
        return False
    report.unpacked += inner.size
    if wrong:
        report.findings.append(Finding("unaccounted-bytes", "unknown", f"it {wrong}", member))
    before, report.format = report.format, ""
    scan(inner, f"{member}!{name}" if member else name, report, depth + 1)
    kind = f"{report.format}, packed with {name}" if report.format else f"packed with {name}"
    report.format = before or kind
    return True


def _scan_other(file: File, member: str, report: Report) -> None:
    """Anything without a container of its own: pickles, or no business of a scan."""
    source = Bytes(file)
    suffix = splitext(member.rpartition("!")[2] or file.name)[1].lower()
    if not file.size:
        return
    short = followed(source)
    if short is not None and not short.ended and not _promises(file, suffix, bool(short.names)):
        return
    old = None if short is not None else legacy(source, member)
    found = old or shortly(short, source.size) or scan_streams(source, member)
    if suffix == ".pth" and not (found.count or _is_telling(found)) and _is_path_file(file, member, report):
        return
    begun = bool(found.names) and suffix in OFTEN
    if not (suffix in PICKLED or begun or _seems_pickle(file, found) or _is_pickle(found, source.size)):
        return
    if not (found.count or found.reached or found.given_up or _begins(file)):
        report.findings.append(Finding("unsupported", "unknown", "it is no pickle and no format that is known", member))
        return
    report.format = report.format or ("PyTorch, before 1.6" if old else "joblib" if found.arrays else "pickle")
    report.findings += found.findings
    if old and not member:
        report.loads = loading(found.names, found.protocols, found.findings)


def _is_path_file(file: File, member: str, report: Report) -> bool:
    """Whether a `.pth` file is one of Python, not of torch."""
    told = scan_path_file(file, member)
    if told is None:
        return False
    report.format = report.format or TITLE
    report.findings += told
    return True


def _promises(file: File, suffix: str, named: bool) -> bool:
    """Whether a file that breaks off, and asks for nothing dangerous before, is to be called a pickle all the same."""
    return suffix in PICKLED or (named and suffix in OFTEN) or _has_protocol(file)


def _is_pickle(found: Streams, size: int) -> bool:
    """Whether a file of any name is one: text that happens to parse ends nowhere and asks for nothing dangerous."""
    return _is_telling(found) or (found.count > 0 and (found.end == size or bool(found.names)))


def _is_telling(found: Streams) -> bool:
    """Whether something was found that chance does not come to, or may come where nobody looked."""
    return found.given_up or any(
        each.code in TELLING and (found.count or each.code not in LOOKING) for each in found.findings
    )


def _scan_twice(file: File, member: str, report: Report) -> None:
    """A file of another kind that is a pickle as well, to those who load it as one."""
    source = Bytes(file)
    short = followed(source)
    if short is not None and not short.ended:
        return  # it breaks off, and asks for nothing dangerous before
    found = shortly(short, source.size) or scan_streams(source, member)
    if _is_pickle(found, file.size) and (found.findings or found.names):
        report.findings += [
            *found.findings,
            Finding("polyglot", "suspicious", "it is a pickle to some readers", member),
        ]


def _seems_pickle(file: File, found: Streams) -> bool:
    """Whether a file of any name is to be followed to its end or called unknown.

    Of a model's weights every few thousandth begins like a pickle by chance: it breaks off at once, before it asked for
    anything, and with nothing looked up nothing can run. Protocols 0 and 1 are written without that beginning.
    """
    if not _has_protocol(file):
        return False
    if found.count or found.names or _is_telling(found):
        return True
    if file.head(min(file.size, 3))[2:] == FRAME:  # one that was cut off breaks there
        return True
    broke = max((each.offset or 0 for each in found.findings), default=0)
    return file.head(2)[1] > 1 and (file.size <= AT_ONCE_BROKEN or broke >= AT_ONCE_BROKEN)


def _has_protocol(file: File) -> bool:
    """Whether it begins like the pickles of protocol 2 and later."""
    head = file.head(2)
    return head[:1] == b"\x80" and b"" < head[1:] <= b"\5"


def _begins(file: File) -> bool:
    return _has_protocol(file) or file.head(1) in b"(c]}"


def _scan_behind(file: File, member: str, report: Report, depth: int) -> None:
    """A zip archive behind something else: Python's zipfile opens it, torch does not."""
    tail = file.tail(min(file.size, 65557))
    if END in tail:
        before = len(report.findings)
        scan_zip(file, f"{member}!zip" if member else "zip", report, depth, scan)
        broken = [each for each in report.findings[before:] if each.code == "broken-archive"]
        if broken and len(report.findings) == before + len(broken):
            del report.findings[before:]
        else:
            report.findings.append(Finding("polyglot", "suspicious", "it is an archive to some readers", member))
