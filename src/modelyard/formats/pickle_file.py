"""A pickle of any protocol, as `pickle.dump` writes it."""

from __future__ import annotations

import re

from modelyard.formats.file import File, told
from modelyard.formats.header import Header
from modelyard.formats.pickled import pickled
from modelyard.formats.sniffing import Head

TITLE = "pickle"
SIGNS = re.compile(rb"(?:\(d|\(l|\(i|c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n|\}q|\]q|\}\(|\]\()")


def sniff(head: Head) -> bool:
    """A protocol byte, or the first instructions of the protocols that had none."""
    data = head.data
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    return bool(SIGNS.match(data))


@told
def read(file: File) -> Header:
    """What was saved, as far as it can be told without loading it."""
    return pickled(file, TITLE, "pickle.load(file)")
