"""TorchScript: torch's zip archive with compiled code beside the pickle.

Layout: torch's `torch/csrc/jit/docs/serialization.md`.
"""

from __future__ import annotations

from msgspec.structs import replace

from modelyard.formats.file import File, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import Head
from modelyard.formats.torch_archives import read_archive

TITLE = "TorchScript"


def sniff(head: Head) -> bool:
    """The pickle of constants that only compiled modules have."""
    below = head.below
    return "constants.pkl" in below and "data.pkl" in below


@told
def read(file: File) -> Header:
    """The parameters and buffers of the module; its code is not looked at here."""
    found = read_archive(file, TITLE, ("torch.jit.load(path), which runs the code in it",))
    return replace(found, architecture=found.architecture.partition("___torch_mangle")[0])
