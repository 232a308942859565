"""torch.save since 1.6: a zip archive of one pickle and a member a storage."""

from __future__ import annotations

from modelyard.formats.file import File, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import Head
from modelyard.formats.torch_archives import read_archive

TITLE = "PyTorch"


def sniff(head: Head) -> bool:
    """A pickle of data and no compiled code."""
    below = head.below
    return "data.pkl" in below and "constants.pkl" not in below


@told
def read(file: File) -> Header:
    """The tensors of `data.pkl`."""
    return read_archive(file, TITLE)
