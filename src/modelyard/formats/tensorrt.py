"""A TensorRT engine: compiled for one GPU, in a layout that NVIDIA does not publish."""

from __future__ import annotations

from modelyard.formats.file import File, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import Head

TITLE = "TensorRT engine"


def sniff(head: Head) -> bool:
    """The first bytes of an engine."""
    return head.data[:4] in (b"ftrt", b"ptrt")


@told
def read(file: File) -> Header:
    """That it is one: nothing else of it is documented."""
    return Header(
        TITLE,
        framework="TensorRT",
        metadata=(("first bytes", file.head(4).decode("ascii")),),
        loads=("tensorrt.Runtime(logger).deserialize_cuda_engine(bytes), with the version and GPU that made it",),
        notes=("compiled code for one GPU: its tensors cannot be listed",),
    )
