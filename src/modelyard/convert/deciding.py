"""Everything about a conversion that is decided before a byte is written: what is read, and where it goes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from msgspec import Struct

from modelyard.convert import (
    flax_edge,
    gguf_edge,
    hdf5_edge,
    numpy_edge,
    pickle_edge,
    safetensors_edge,
    sets_edge,
    torch_edges,
    torch_layout,
    torch_pickle,
)
from modelyard.convert.layout import DTYPES, Shard, metadata_of, named, planned, shards
from modelyard.convert.source import Source, held
from modelyard.convert.weights import Edge, LeftOut, Weights, Wish
from modelyard.formats.file import BrokenError, File, Meter
from modelyard.formats.header import Header
from modelyard.formats.known import read_header
from modelyard.problem import Problem
from modelyard.safety.files import scan_file
from modelyard.walk.text import shown

EDGES: tuple[Edge, ...] = (
    torch_edges, numpy_edge, gguf_edge, hdf5_edge, pickle_edge, flax_edge, safetensors_edge,
)  # fmt: skip
"""One for each kind of source that is one file."""
SUFFIX = ".safetensors"
Told = Callable[[int, int], None]
"""Is told how many bytes of how many are done; each byte is written and compared."""


class Job(Struct, frozen=True):
    """One conversion: the source, what was found in it, the files to be written, and who is told."""

    source: Source
    others: Mapping[str, Source]
    """The files that a set consists of, by the name that the source gives them."""
    kind: str
    weights: Weights
    tied: Mapping[str, str]
    metadata: Mapping[str, str]
    files: Sequence[Shard]
    folder: bytes
    told: Callable[[int], None]

    def path(self, name: str) -> bytes:
        """Where a file of it goes."""
        return os.path.join(self.folder, os.fsencode(name))

    def holding(self, file: str) -> Source:
        """The file that a tensor lies in, by the name that the tensor gives."""
        return self.others[file] if file else self.source


@contextmanager
def decided(source: str, target: str, wish: Wish, told: Told) -> Iterator[Job]:
    """The source held open, and everything decided. BrokenError and OSError where it cannot be converted."""
    header = read_header(source)
    if isinstance(header, Problem):
        raise BrokenError(header.message, header.code)
    if not header.complete:
        raise BrokenError("ends before what its header promises, or misses a file", "truncated")
    edge = _edge(header, wish)
    with ExitStack() as open_:
        opened = open_.enter_context(held(os.fsencode(source)))
        weights = edge.read(file_of(opened), wish)
        others = {
            name: open_.enter_context(held(os.path.join(os.path.dirname(opened.path), os.fsencode(name))))
            for name in sorted({each.file for each in weights.tensors} - {""})
        }
        if others and edge.read(file_of(opened), wish) != weights:  # they are held only now
            raise BrokenError("was written to while it was read", "changed")
        size = opened.size + sum(each.size for each in others.values())
        yield _job(
            Job(opened, others, header.format, weights, {}, {}, (), b"", lambda _: None), target, wish, size, told
        )


def _edge(header: Header, wish: Wish) -> Edge:
    if sets_edge.is_set(header.format):
        return sets_edge
    edge = next((each for each in EDGES if header.format in each.FORMATS), None)
    if edge is None:
        code = "packed" if ", packed by " in header.format else "unsupported"
        raise BrokenError(f"is {header.format}, of which no {wish.to} is made", code)
    if wish.part and edge is not torch_edges:
        raise BrokenError(f"is {header.format}, which has no parts to choose from", "no-part")
    return edge


def _job(found: Job, target: str, wish: Wish, size: int, told: Told) -> Job:
    """What was found, with the files that are to be written."""
    to_torch = wish.to == "torch"
    kept, tied = named(found.weights, wish, size, torch_pickle.DTYPES if to_torch else DTYPES)
    items = planned(kept, wish.dtype)
    metadata, lost = metadata_of(found.weights, tied)
    if to_torch:
        lost += [LeftOut(key, "a text beside the tensors") for key in metadata if key not in tied and key != "format"]
        files = [torch_layout.layout(items, tied, os.path.basename(target))]
        metadata = {}
    else:
        files = shards(items, metadata, os.path.basename(target).removesuffix(SUFFIX), wish.max_shard)
    total, done = sum(each.tensor.bytes + each.bytes for shard in files for each in shard.items), 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        told(done, total)

    sources = [found.source, *found.others.values()]
    unsafe = [each for one in sources for each in dangers(one)]
    left = (*unsafe, *found.weights.left_out, *lost)
    weights = Weights(found.weights.tensors, found.weights.metadata, left, found.weights.notes)
    folder = os.path.dirname(os.path.abspath(os.fsencode(target)))
    return Job(found.source, found.others, found.kind, weights, tied, metadata, files, folder, count)


def dangers(source: Source) -> list[LeftOut]:
    """What loading the source would do that its makers may not have meant: none of it is in a copy of tensors."""
    found = scan_file(os.fsdecode(source.path)).findings
    return [LeftOut(each.where, f"{each.severity}: {each.runs}") for each in found if each.severity in
            ("dangerous", "unknown")]  # fmt: skip


def file_of(source: Source) -> File:
    """The source as the readers of headers want it."""
    if not stat.S_ISREG(source.seen.st_mode):
        raise BrokenError("is no plain file", "not-a-file")
    return File(
        shown(source.path),
        source.size,
        lambda start, length: os.pread(source.descriptor, length, start),
        Meter(),
        os.path.dirname(source.path) or b".",
    )
