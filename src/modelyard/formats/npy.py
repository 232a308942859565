"""One array of numpy, `.npy`: a short text that is no code, then the elements.

Layout: numpy's `numpy/lib/format.py`.
"""

from __future__ import annotations

import re
from math import prod

from modelyard.formats.dtypes import of_numpy
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Tensor
from modelyard.formats.sniffing import Head

TITLE = "NumPy array"
MAGIC = b"\x93NUMPY"
LONGEST = 1 << 20
FIELDS = {
    "descr": re.compile(r"""['"]descr['"]\s*:\s*['"]([^'"]*)['"]"""),
    "order": re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)"""),
    "shape": re.compile(r"""['"]shape['"]\s*:\s*\(([\d,\sL]*)\)"""),
}


def sniff(head: Head) -> bool:
    """Its magic."""
    return head.data[:6] == MAGIC


@told
def read(file: File) -> Header:
    """The one array, without a name."""
    major, minor = file.at(6, 2)
    if major not in (1, 2, 3):
        raise BrokenError(f"has version {major}.{minor}, which there is not", "unsupported")
    width = 2 if major == 1 else 4
    length = int.from_bytes(file.at(8, width), "little")
    if length > LONGEST:
        raise BrokenError(f"has a header of {length:,} bytes", "too-large")
    start = 8 + width + length
    text = file.at(8 + width, length).decode("utf-8" if major == 3 else "latin-1")
    tensor = _tensor(text, start)
    objects = tensor.dtype.startswith("O")
    return Header(
        TITLE,
        f"{major}.{minor}",
        (tensor,),
        complete=objects or start + tensor.bytes <= file.size,
        framework="NumPy",
        loads=("numpy.load(path, allow_pickle=True), which runs code: see `modelyard scan`",)
        if objects
        else ("numpy.load(path)",),
        notes=("its elements are objects, written as a pickle",) if objects else (),
    )


def _tensor(text: str, start: int) -> Tensor:
    order, shape = FIELDS["order"].search(text), FIELDS["shape"].search(text)
    if order is None or shape is None:
        raise BrokenError("has a header without order and shape")
    sides = tuple(int(each.strip(" L")[:20]) for each in shape[1].split(",") if each.strip(" L"))
    if prod(sides) >= 1 << 62 or len(sides) > 64:
        raise BrokenError("has a shape that cannot be")
    descr = FIELDS["descr"].search(text)
    dtype, width = of_numpy(descr[1]) if descr else ("record", _record(text))
    strides = tuple(prod(sides[:at]) for at in range(len(sides))) if order[1] == "True" and len(sides) > 1 else None
    return Tensor("", dtype, sides, prod(sides) * width, None if dtype.startswith("O") else start, strides=strides)


def _record(text: str) -> int:
    """The width of a record: that of its fields, which stand with their codes; 0 where it cannot be told."""
    body = text.partition("descr")[2].partition("fortran_order")[0]
    codes = re.findall(r"""['"][^'"]*['"]\s*,\s*['"]([<>|=]?\w+)['"]\s*(\)|,\s*\()""", body)
    return 0 if any(after != ")" for _, after in codes) else sum(of_numpy(code)[1] for code, _ in codes)
