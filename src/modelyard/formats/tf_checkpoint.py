"""A TensorFlow checkpoint: an index, and the data files with the tensors beside it."""

from __future__ import annotations

from modelyard.formats.bundles import bundle
from modelyard.formats.file import File, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import Head

TITLE = "TensorFlow checkpoint"


def sniff(head: Head) -> bool:
    """The end of a sorted table whose first key is the empty one."""
    return head.table and head.data[:2] == b"\0\0"


@told
def read(file: File) -> Header:
    """The tensors of the index; optimizers' among them."""
    name = file.name.rpartition("/")[2]
    tensors, needs, complete = bundle(file, name.removesuffix(".index"))
    own = [each for each in tensors if not each.name.startswith("_CHECKPOINTABLE") and each.dtype != "text"]
    return Header(
        TITLE,
        tensors=tuple(own),
        complete=complete,
        framework="TensorFlow",
        needs=needs,
        loads=("tf.train.load_checkpoint(path without .index)",),
    )
