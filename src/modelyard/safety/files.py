"""Scans one file by its content: what it is, and what each way of loading it would execute."""

from __future__ import annotations

from collections.abc import Callable
from os.path import basename, splitext

from modelyard.formats.file import BrokenError, File, looked_into
from modelyard.formats.hdf5_objects import MAGIC, beginning
from modelyard.formats.zips import END, LOCAL, is_zip
from modelyard.problem import Problem
from modelyard.safety.archives import scan_zip, scan_zips
from modelyard.safety.finding import Finding, Scanned
from modelyard.safety.keras import is_hdf5, scan_hdf5
from modelyard.safety.mlflow_model import NAME
from modelyard.safety.numpy_files import NUMPY, scan_arrays
from modelyard.safety.others import TOLD_BY_BYTE, TOLD_BY_NAME, guarded, scan_known, suffix_of
from modelyard.safety.path_files import TITLE, scan_path_file
from modelyard.safety.pickles import Streams, scan_streams, shortly
from modelyard.safety.plain import followed
from modelyard.safety.reading import (
    DEEPEST,
    NOT_OPENED,
    PACKED,
    Bytes,
    Report,
    Unpacker,
    compressor,
    start_of_packed,
    unlimited,
    unpacked,
)
from modelyard.safety.tars import is_tar, scan_tar
from modelyard.safety.torch_files import legacy, loading

PICKLED = (".pkl", ".pickle", ".pk", ".pt", ".pth", ".ckpt", ".joblib", ".jbl", ".dill", ".cpickle", ".mar")
"""Names that promise a pickle: what is broken there is unknown."""
OFTEN = (".bin", ".dat", ".data", ".sav", ".model", ".p", ".weights", ".t7", ".th", ".tar", ".npy")
"""Names that may: what breaks off in the middle is unknown, what does not begin like one is another kind of file."""
TELLING = ("dangerous-name", "dangerous-call", "unvetted-call", "unvetted-arguments", "computed-name", "computed-call",
           "changed-name", "extension-code", "hooked-object", "kept-callable")  # fmt: skip
"""What text and bytes of other kinds do not come to by chance."""
LOOKING = ("dangerous-name", "computed-name", "extension-code")
"""Of those what they do come to before they break off: two lines that begin with a `c` look a name up, one byte is an
extension code. Looked up and never called, it reaches nothing."""
BEGINNINGS = TOLD_BY_BYTE | PACKED | {LOCAL[:1], NUMPY[:1], b"\x80"}
"""The first byte of whatever has a container of its own, of programs, and of pickles since protocol 2."""
HEAD = 65536
FRAME = b"\x95"
AT_ONCE_BROKEN = 64
"""Bytes in which chance comes to its end."""


def scan_file(path: str) -> Scanned:
    """What loading a file would execute. Reads it, and runs nothing; what cannot be read is `unknown`, never safe."""
    report = Report()
    with looked_into(path, meter=unlimited()) as file:
        if isinstance(file, Problem):
            return Scanned(path, "", (Finding("unreadable", "unknown", file.message),))
        try:
            scan(file, "", report, 0)
        except (BrokenError, OSError) as error:
            report.findings.append(Finding("unreadable", "unknown", f"it cannot be read to its end: {error}"))
    return Scanned(path, report.format, tuple(dict.fromkeys(report.findings)), report.loads)


def scan(file: File, member: str, report: Report, depth: int) -> None:
    """Scans a file or a member of one into a report: as what it is, and as what some readers take it for."""
    if depth > DEEPEST:
        report.findings.append(Finding("too-deep", "unknown", "archives lie too deep inside each other", member))
        return
    head = file.head(HEAD)
    whole = len(head) == file.size  # what is looked for anywhere in it is in its head
    if whole and _is_nothing(file, head, member):
        return
    if is_zip(head):
        scan_zips(file, member, report, depth, scan)
        return
    _scan_first(file, head, member, report, depth)
    if not is_hdf5(head) and (not whole or MAGIC in head) and beginning(file) is not None:
        report.format = report.format or "HDF5"
        report.findings += guarded(scan_hdf5, file, member)
    if not whole or END in head:
        _scan_behind(file, member, report, depth)


def _is_nothing(file: File, head: bytes, member: str) -> bool:
    """Whether one look at all of a file tells that it is no business of a scan, as most are not."""
    if head[:1] in BEGINNINGS or head[8:9] == b"{" or is_tar(head) or MAGIC in head or END in head:
        return False
    name = basename(member.rpartition("!")[2] or file.name).lower()
    suffix = suffix_of(name)
    if suffix in TOLD_BY_NAME or suffix in PICKLED or name == NAME:
        return False
    short = followed(Bytes(file))
    return short is not None and not short.ended and not (short.names and suffix in OFTEN)


def _scan_first(file: File, head: bytes, member: str, report: Report, depth: int) -> None:
    """Scans a file as what its first bytes say."""
    packed = next((name for magic, name in NOT_OPENED if head.startswith(magic)), "") if head[:1] in PACKED else ""
    if head.startswith(NUMPY):
        scan_arrays(file, member, report, depth, scan)
    elif is_tar(head):
        scan_tar(file, member, report, depth, scan)
        _scan_twice(file, member, report)
    elif (
        head[:1] in PACKED
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
