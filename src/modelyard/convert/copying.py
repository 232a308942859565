"""Converts one file into safetensors: read, written beside its place, proven, and only then named."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from modelyard.apply.disk import Disk
from modelyard.apply.filling import Filling, filling
from modelyard.convert import flax_edge, gguf_edge, hdf5_edge, numpy_edge, pickle_edge, torch_edges
from modelyard.convert.layout import Shard, index_of, metadata_of, named, shards
from modelyard.convert.proof import prove
from modelyard.convert.source import Source, held
from modelyard.convert.strided import rows
from modelyard.convert.weights import Edge, LeftOut, Receipt, Weights, Wish, Written
from modelyard.formats.file import BrokenError, File, Meter
from modelyard.formats.header import Tensor
from modelyard.formats.known import read_header
from modelyard.plan import Path
from modelyard.problem import Problem, from_errno
from modelyard.safety.files import scan_file
from modelyard.units import rfc3339
from modelyard.walk.text import shown

EDGES: tuple[Edge, ...] = (torch_edges, numpy_edge, gguf_edge, hdf5_edge, pickle_edge, flax_edge)
"""One for each kind of source."""
SUFFIX, INDEX = ".safetensors", ".safetensors.index.json"
HINTS = {
    "ambiguous": "say which with --part NAME, or take all of it under whole names with --part .",
    "no-part": "`modelyard inspect --tensors` lists the names",
    "changed": "wait until nobody writes to it, and run again",
    "unequal": "nothing was kept; check the disk and its memory, and run again",
    "exists": "remove it, or name another target",
    "no-space": "give space back with `modelyard clean`, or name a target on another disk",
}
Told = Callable[[int, int], None]
"""Is told how many bytes of how many are done; each byte is written and compared."""


@dataclass(frozen=True, slots=True)
class Job:
    """One conversion: the source, what was found in it, the files to be written, and who is told."""

    source: Source
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


def silent(done: int, total: int) -> None:
    """Tells nobody."""


def convert(source: str, target: str, wish: Wish, disk: Disk, told: Told = silent) -> Receipt | Problem:
    """Writes what a model file holds into safetensors at `target`, proves that it is equal, and says what it did.

    The source is never loaded and never changed. A Problem where anything is in the way; then nothing is left behind.
    """
    name = shown(source)
    try:
        with _job(source, target, wish, told) as job:
            return _made(job, disk)
    except BrokenError as error:
        return Problem(name, error.code, str(error), HINTS.get(error.code, ""))
    except FileExistsError as error:
        return Problem(shown(error.filename2 or error.filename), "exists", "is there already", HINTS["exists"])
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Problem(shown(target), "no-space", "the disk has no room for it", HINTS["no-space"])
        if error.errno == errno.ESTALE:
            return Problem(name, "changed", "became shorter while it was read", HINTS["changed"])
        return from_errno(shown(error.filename or source), error.errno or 0)


@contextmanager
def _job(source: str, target: str, wish: Wish, told: Told) -> Iterator[Job]:
    """The source held open, and everything decided before a byte is written."""
    header = read_header(source)
    if isinstance(header, Problem):
        raise BrokenError(header.message, header.code)
    if not header.complete:
        raise BrokenError("ends before what its header promises", "truncated")
    edge = next((each for each in EDGES if header.format in each.FORMATS), None)
    if edge is None:
        raise BrokenError(f"is {header.format}, of which no safetensors are made", "unsupported")
    if wish.part and edge is not torch_edges:
        raise BrokenError(f"is {header.format}, which has no parts to choose from", "no-part")
    with held(os.fsencode(source)) as opened:
        weights = edge.read(_file(opened), wish)
        kept, tied = named(weights, wish, opened.size)
        metadata, lost = metadata_of(weights, tied)
        stem = os.path.basename(target).removesuffix(SUFFIX)
        files = shards(kept, metadata, stem, wish.max_shard)
        total, done = 2 * sum(each.bytes for each in kept), 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            told(done, total)

        left = (*_dangers(source), *weights.left_out, *lost)
        weights = Weights(weights.tensors, weights.metadata, left, weights.notes)
        folder = os.path.dirname(os.path.abspath(os.fsencode(target)))
        yield Job(opened, header.format, weights, tied, metadata, files, folder, count)


def _dangers(source: str) -> list[LeftOut]:
    """What loading the source would do that its makers may not have meant: none of it is in a copy of tensors."""
    found = [each for each in scan_file(source).findings if each.severity in ("dangerous", "unknown")]
    return [LeftOut(each.where, f"{each.severity}: {each.runs}") for each in found]


def _file(source: Source) -> File:
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


def _made(job: Job, disk: Disk) -> Receipt:
    """Writes, proves, and names the files; the index last, so that no half set looks whole."""
    index = index_of(job.files) if len(job.files) > 1 else b""
    index_name = job.files[0].name.partition("-00001-of-")[0] + INDEX if index else ""
    names = [*(each.name for each in job.files), *([index_name] if index else [])]
    for each in names:
        if os.path.lexists(job.path(each)):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(job.path(each)))
    mode = stat.S_IMODE(job.source.seen.st_mode) & 0o666 | 0o600
    with ExitStack() as drafts:
        made: list[Filling] = []
        for at, shard in enumerate(job.files):
            made.append(drafts.enter_context(filling(disk, job.folder, b"convert-%d" % at, shard.size, mode)))
            _fill(made[-1], job, shard)
        job.source.check()
        copies = {one.path: _tensors(shard) for one, shard in zip(made, job.files, strict=True)}
        digests = prove(job.source, copies, job.metadata, job.told)
        if index:
            made.append(drafts.enter_context(filling(disk, job.folder, b"convert-index", len(index), mode)))
            made[-1].put(index, 0)
            made[-1].sync()
        _keep(made, [job.path(each) for each in names])
        written = [
            Written(shown(job.path(shard.name)), shard.size, digests[one.path], len(shard.items))
            for one, shard in zip(made, job.files, strict=False)
        ]
    return _receipt(job, written, shown(job.path(index_name)) if index else "", digests[job.source.path], made)


def _tensors(shard: Shard) -> list[Tensor]:
    return [item.tensor for item in shard.items]


def _fill(target: Filling, job: Job, shard: Shard) -> None:
    """Writes one file: the table, then every tensor straight from the source."""
    target.put(shard.head, 0)
    for item in shard.items:
        tensor = item.tensor
        if tensor.strides is not None:
            for at, data in rows(tensor, job.source.read):
                target.put(data, item.at + at)
        elif tensor.bytes:
            assert tensor.offset is not None
            target.copy(job.source.descriptor, tensor.offset, tensor.bytes, item.at)
        job.told(tensor.bytes)
    target.sync()


def _keep(made: Sequence[Filling], paths: Sequence[bytes]) -> None:
    """Gives every file its name, or none."""
    try:
        for each, path in zip(made, paths, strict=True):
            each.keep(path)
    except OSError:
        for each in made:
            each.drop()
        raise


def _receipt(job: Job, written: Sequence[Written], index: str, digest: str, made: Sequence[Filling]) -> Receipt:
    tensors = [item.tensor for shard in job.files for item in shard.items]
    notes = list(job.weights.notes)
    turned = sum(each.strides is not None for each in tensors)
    if turned:
        notes.append(f"{turned:,} tensors did not lie row after row; in the copy they do")
    if shared := sum(each.shared for each in made):
        notes.append(f"{shared:,} bytes share their place on the disk with the source")
    return Receipt(
        shown(job.source.path),
        job.kind,
        job.source.size,
        digest,
        tuple(written),
        index,
        len(tensors) + len(job.tied),
        sum(each.bytes for each in tensors),
        job.tied,
        job.metadata,
        job.weights.left_out,
        tuple(notes),
        rfc3339(time.time_ns()),
        Path.of(_real(job.source.path)),
        job.source.mark,
    )


def _real(path: bytes) -> bytes:
    return os.path.join(os.path.realpath(os.path.dirname(path) or b"."), os.path.basename(path))
