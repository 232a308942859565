"""Scans files of numpy: one array behind the other, whose elements are numbers, or a pickle where they are objects.

From numpy's `numpy/lib/format.py`: the header is a literal of Python, in which a letter can be spelled in many ways.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from math import prod

from modelyard.formats.file import BrokenError, File
from modelyard.safety.finding import Finding
from modelyard.safety.pickles import scan_streams
from modelyard.safety.reading import Bytes, Report
from modelyard.safety.signs import NUMPY
from modelyard.safety.stream import Part

LONGEST = 1 << 16
MOST = 1_000
"""Arrays in one file that are looked at."""
NUMBERS = re.compile(r"[<>=|]?([biufcmMSUVa?])(\d*)(?:\[\w+\])?")
SIDE = "(?:0|[1-9][0-9]{0,18})"
WRITTEN = re.compile(
    r"\{'descr': '([<>|]?[A-Za-z?][0-9]*)', 'fortran_order': (?:True|False), "
    rf"'shape': \(((?:{SIDE},|{SIDE}(?:, {SIDE})+)?)\), \}} *\n"
)
"""A header as numpy writes it for elements of one kind."""
OLD_NUMBER = re.compile(r"(\d)L\b")
"""How Python 2 wrote large numbers."""
WIDTHS = {"?": 1, "b": 1, "B": 1}


def scan_arrays(
    file: File, member: str, report: Report, depth: int, scan: Callable[[File, str, Report, int], None]
) -> None:
    """Scans every array of a file, as who calls `numpy.load` on one handle several times reads them."""
    report.format = report.format or "NumPy"
    at = 0
    for _ in range(MOST):
        try:
            start, size = _layout(file, at)
        except (BrokenError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
            what = f"an array whose header is not as numpy writes it: {type(error).__name__}"
            report.findings.append(Finding("broken-file", "unknown", what, member, at))
            return
        if size is None:
            _objects(file, start, member, report)
            return
        at = start + size
        if at >= file.size:
            return  # where it ends early, numpy refuses it
        if file.at(at, min(6, file.size - at)) != NUMPY:
            break
    what = f"{file.size - at:,} bytes behind the array"
    report.findings.append(Finding("unaccounted-bytes", "suspicious", what, member, at))
    scan(file.part(file.name, at, file.size - at), f"{member}!behind" if member else "behind", report, depth + 1)


def _layout(file: File, at: int) -> tuple[int, int | None]:
    """Where the elements of an array begin, and how many bytes they are; None for objects."""
    width = 2 if file.at(at + 6, 1) == b"\1" else 4
    length = int.from_bytes(file.at(at + 8, width), "little")
    if length > LONGEST:
        raise ValueError("a header of that length cannot be")
    start = at + 8 + width + length
    told = _told(file.at(at + 8 + width, length).decode("latin-1"))
    if not isinstance(told, dict) or not isinstance(told.get("shape"), tuple):
        raise ValueError("a header without a shape")
    widths = list(_widths(told.get("descr")))
    if None in widths:
        return start, None
    return start, prod(int(side) for side in told["shape"]) * sum(each for each in widths if each)


def _told(text: str) -> object:
    """What a header says. Nearly all are written by numpy itself, for numbers or texts, and need no parser."""
    if found := WRITTEN.fullmatch(text):
        return {"descr": found[1], "shape": tuple(map(int, found[2].strip(",").split(",") if found[2] else ()))}
    return ast.literal_eval(OLD_NUMBER.sub(r"\1", text).strip())


def _widths(descr: object) -> Iterator[int | None]:
    """Bytes of each field of an element; None for one that is not surely a number or a text."""
    if isinstance(descr, str):
        found = NUMBERS.fullmatch(descr)
        if found is None or not (found[2] or found[1] in WIDTHS):
            yield None
        else:
            yield int(found[2] or WIDTHS[found[1]]) * (4 if found[1] == "U" else 1)
    elif isinstance(descr, list):
        for field in descr:
            if not isinstance(field, tuple) or len(field) not in (2, 3):
                yield None
                continue
            times = prod(field[2]) if len(field) == 3 and isinstance(field[2], tuple) else 1
            for width in _widths(field[1]):
                yield width * times if width is not None else None
    elif isinstance(descr, tuple) and len(descr) == 2 and isinstance(descr[1], tuple):
        for width in _widths(descr[0]):
            yield width * prod(descr[1]) if width is not None else None
    else:
        yield None


def _objects(file: File, start: int, member: str, report: Report) -> None:
    source = Bytes(file)
    found = scan_streams(Part(source, start, source.size), f"{member}!objects" if member else "objects")
    report.findings += found.findings
    if not found.findings:
        what = "an array of objects, which loads with allow_pickle=True alone"
        report.findings.append(Finding("needs-pickle", "safe", what, member))
