"""joblib: a pickle with the elements of its arrays between the instructions.

Layout: joblib's `numpy_pickle.py`. A packed one is unpacked first, and then is this.
"""

from __future__ import annotations

from modelyard.formats.file import File, told
from modelyard.formats.header import Header
from modelyard.formats.pickled import pickled
from modelyard.formats.sniffing import Head

TITLE = "joblib"


def sniff(head: Head) -> bool:
    """A pickle that names joblib's wrapper of arrays."""
    data = head.data
    return data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05") and b"joblib.numpy_pickle" in data


@told
def read(file: File) -> Header:
    """What was saved; as much of it as was unpacked."""
    return pickled(file, TITLE, "joblib.load(path)", partly=file.cut)
