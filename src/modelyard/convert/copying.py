"""Converts a model file into safetensors or a state dict: read, written beside its place, proven, only then named."""

from __future__ import annotations

import errno
import os
import stat
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from modelyard.apply.disk import Disk
from modelyard.apply.filling import Filling, filling
from modelyard.convert.beside import beside
from modelyard.convert.deciding import SUFFIX, Job, Told, decided
from modelyard.convert.layout import Item, Shard, index_of
from modelyard.convert.proof import Proof, prove
from modelyard.convert.rounding import parts, rounded, stretch
from modelyard.convert.source import Source
from modelyard.convert.strided import rows
from modelyard.convert.weights import Agreement, Receipt, Wish, Written
from modelyard.formats.file import BrokenError
from modelyard.plan import Path
from modelyard.problem import Problem, from_errno
from modelyard.units import rfc3339
from modelyard.walk.text import shown

INDEX = f"{SUFFIX}.index.json"
HINTS = {
    "ambiguous": "say which with --part NAME, or take all of it under whole names with --part .",
    "no-part": "`modelyard inspect --tensors` lists the names",
    "packed": "write it again unpacked: numpy.savez, joblib.dump without compress, pickle of protocol 3 or later",
    "changed": "wait until nobody writes to it, and run again",
    "unequal": "nothing was kept; check the disk and its memory, and run again",
    "exists": "remove it, or name another target",
    "no-space": "give space back with `modelyard clean`, or name a target on another disk",
}


def silent(done: int, total: int) -> None:
    """Tells nobody."""


def convert(source: str, target: str, wish: Wish, disk: Disk, told: Told = silent) -> Receipt | Problem:
    """Writes what a model file holds to `target`, proves that it is equal, and says what it did.

    The source is never loaded and never changed. A Problem where anything is in the way; then nothing is left behind.
    """
    with failing(source, target) as wrong, decided(source, target, wish, told) as job:
        return _made(job, wish, disk)
    return wrong[0]


class failing:  # noqa: N801 - used as a context manager
    """Makes what goes wrong while a file is converted a Problem, the one in the list that it gives."""

    def __init__(self, source: str, target: str) -> None:
        self._source, self._target = source, target
        self._found: list[Problem] = []

    def __enter__(self) -> list[Problem]:
        return self._found

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, BrokenError):
            self._found.append(Problem(shown(self._source), error.code, str(error), HINTS.get(error.code, "")))
        elif isinstance(error, OSError):
            self._found.append(self._system(error))
        return bool(self._found)

    def _system(self, error: OSError) -> Problem:
        if isinstance(error, FileExistsError):
            return Problem(shown(error.filename2 or error.filename), "exists", "is there already", HINTS["exists"])
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Problem(shown(self._target), "no-space", "the disk has no room for it", HINTS["no-space"])
        if error.errno == errno.ESTALE:
            return Problem(shown(self._source), "changed", "became shorter while it was read", HINTS["changed"])
        return from_errno(shown(error.filename or self._source), error.errno or 0)


def _made(job: Job, wish: Wish, disk: Disk) -> Receipt:
    """Writes, proves, and names the files; the index last, so that no half set looks whole."""
    index = index_of(job.files) if len(job.files) > 1 else b""
    index_name = job.files[0].name.partition("-00001-of-")[0] + INDEX if index else ""
    names = [*(each.name for each in job.files), *([index_name] if index else [])]
    free([job.path(each) for each in names])
    mode = stat.S_IMODE(job.source.seen.st_mode) & 0o666 | 0o600
    sources = (job.source, *job.others.values())
    with ExitStack() as drafts, beside() as threads:
        threads.digest(sources)
        made: list[Filling] = []
        for at, shard in enumerate(job.files):
            made.append(drafts.enter_context(filling(disk, job.folder, b"convert-%d" % at, shard.size, mode)))
            fill(made[-1], job, shard)
            threads.run(made[-1].sync)
            threads.digest_copy(made[-1].path)
        unchanged(sources)
        copies = {one.path: shard.items for one, shard in zip(made, job.files, strict=True)}
        proof = prove(job.source, job.others, copies, job.metadata, job.told)
        threads.wait()
        unchanged(sources)
        if index:
            made.append(drafts.enter_context(filling(disk, job.folder, b"convert-index", len(index), mode)))
            made[-1].put(index, 0)
            made[-1].sync()
        _keep(made, [job.path(each) for each in names])
        written = [
            Written(shown(job.path(shard.name)), shard.size, threads.digests[one.path], len(shard.items))
            for one, shard in zip(made, job.files, strict=False)
        ]
    index_path = shown(job.path(index_name)) if index else ""
    return _receipt(job, wish, written, index_path, proof, threads.digests, made)


def free(paths: Sequence[bytes]) -> None:
    """FileExistsError where one of them is there already."""
    for each in paths:
        if os.path.lexists(each):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(each))


def unchanged(sources: Iterable[Source]) -> None:
    """BrokenError when one of them was written to, or replaced, since it was opened."""
    for each in sources:
        each.check()


def fill(target: Filling, job: Job, shard: Shard) -> None:
    """Writes one file: every tensor straight from the source, and what lies around them."""
    if not shard.summed:
        _put(target, shard.frame({}))
    sums: dict[str, int] = {}
    for item in shard.items:
        tensor, source = item.tensor, job.holding(item.tensor.file)
        if tensor.bytes and not item.alias:
            if tensor.strides is not None or item.rounded:
                _put(target, ((item.at + at, data) for at, data in _stretches(item, source)))
            else:
                assert tensor.offset is not None
                target.copy(source.descriptor, tensor.offset, tensor.bytes, item.at)
            if shard.summed:
                sums[tensor.name] = _summed(target, item)
        job.told(item.bytes)
    if shard.summed:
        _put(target, shard.frame(sums))


def _put(target: Filling, pieces: Iterable[tuple[int, bytes | memoryview]]) -> None:
    for at, data in pieces:
        target.put(data, at)


def _stretches(item: Item, source: Source) -> Iterator[tuple[int, bytes | memoryview]]:
    """The elements as they are written, by their place from the first: rounded, if they are to be."""
    tensor = item.tensor
    dense = tensor.strides is None
    pieces = source.pieces(tensor.offset or 0, tensor.bytes) if dense else rows(tensor, source.read)
    if not item.rounded:
        yield from pieces
        return
    for at, data in (part for piece in pieces for part in parts(*piece)):
        yield stretch(tensor.dtype, item.dtype, at), rounded(data, tensor.dtype, item.dtype)


def _summed(target: Filling, item: Item) -> int:
    """The CRC-32 of elements that were written."""
    found = 0
    for data in target.pieces(item.at, item.bytes):
        found = zlib.crc32(data, found)
    return found


def _keep(made: Sequence[Filling], paths: Sequence[bytes]) -> None:
    """Gives every file its name, or none."""
    try:
        for each, path in zip(made, paths, strict=True):
            each.keep(path)
    except OSError:
        for each in made:
            each.drop()
        raise


def _receipt(
    job: Job,
    wish: Wish,
    written: Sequence[Written],
    index: str,
    proof: Proof,
    digests: Mapping[bytes, str],
    made: Sequence[Filling],
) -> Receipt:
    items = [item for shard in job.files for item in shard.items]
    return Receipt(
        shown(job.source.path),
        job.kind,
        job.source.size,
        digests[job.source.path],
        tuple(written),
        index,
        len(items) + len(job.tied) - sum(each.alias for each in items),
        sum(each.tensor.bytes for each in items if not each.alias),
        job.tied,
        job.metadata,
        job.weights.left_out,
        tuple(_notes(job, wish, made)),
        rfc3339(time.time_ns()),
        Path.of(real(job.source.path)),
        job.source.mark,
        tuple(_other(name, each, items, digests) for name, each in job.others.items()),
        _agreement(wish, proof) if any(each.rounded for each in items) else None,
    )


def _notes(job: Job, wish: Wish, made: Sequence[Filling]) -> Iterator[str]:
    yield from job.weights.notes
    items = [item for shard in job.files for item in shard.items]
    if turned := sum(each.tensor.strides is not None for each in items):
        yield f"{turned:,} tensors did not lie row after row; in the copy they do"
    if shared := sum(each.shared for each in made):
        yield f"{shared:,} bytes share their place on the disk with the source"
    if wish.dtype and (kept := sum(not each.rounded for each in items)):
        yield f"{kept:,} tensors are no floats of another width than {wish.dtype}: they are as they were"
    if any(each.alias for each in items):
        yield "tied tensors share one storage in the copy"


def _other(name: str, source: Source, items: Sequence[Item], digests: Mapping[bytes, str]) -> Written:
    count = sum(each.tensor.file == name and not each.alias for each in items)
    return Written(shown(source.path), source.size, digests[source.path], count)


def _agreement(wish: Wish, proof: Proof) -> Agreement:
    how = f"every element was rounded to {wish.dtype}, read again from both files, and lies as near as it can"
    within = f"half a unit in the last place of {wish.dtype}"
    return Agreement(how, proof.rounded, within, proof.largest, proof.overflowed)


def real(path: bytes) -> bytes:
    """A path without links in the folders above it."""
    return os.path.join(os.path.realpath(os.path.dirname(path) or b"."), os.path.basename(path))
