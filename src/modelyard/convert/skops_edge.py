"""Pickles of scikit-learn to `.skops` without unpickling: the schema written from what the pickle says, arrays copied.

Proven by reading it again: the schema as it was meant, and every array byte for byte as it lies in the source.
"""

from __future__ import annotations

import json
import os
import stat
import time
import zlib
from collections.abc import Callable, Iterable, Sequence

from modelyard.apply.disk import Disk
from modelyard.apply.filling import Filling, filling
from modelyard.convert.copying import failing, free, real
from modelyard.convert.deciding import Told, dangers, file_of
from modelyard.convert.proof import UNEQUAL
from modelyard.convert.skops_tree import Node, Schema
from modelyard.convert.source import PIECE, Source, held
from modelyard.convert.stored_zip import Entry, Member, frame, placed, size_of
from modelyard.convert.weights import Receipt, Written
from modelyard.formats import joblib_file, pickle_file, zips
from modelyard.formats.file import BrokenError
from modelyard.formats.known import read_header
from modelyard.formats.numpy_values import Arrays
from modelyard.formats.pickles import follow
from modelyard.plan import Path
from modelyard.problem import Problem
from modelyard.units import rfc3339
from modelyard.walk.text import shown

FORMATS = (joblib_file.TITLE, pickle_file.TITLE)
PROTOCOL, VERSION = 2, "0.16.0"
"""What skops writes into its files, by the release whose nodes these are."""
ALIGNED = 64
UNTRUSTED = ("sklearn.tree._tree.Tree", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor")
"""Classes that skops wants to be trusted by name: scikit-learn indexes by what they hold, unchecked."""


def convert(source: str, target: str, disk: Disk, told: Told) -> Receipt | Problem:
    """Writes what a pickle or joblib file holds as `.skops`; nothing is loaded. Refused where that cannot be done."""
    with failing(source, target) as wrong:
        header = read_header(source)
        if isinstance(header, Problem):
            return header
        if header.format not in FORMATS:
            raise BrokenError(f"is {header.format}, of which no .skops is made", "unsupported")
        if header.needs:
            raise BrokenError(f"keeps an array in another file, {header.needs[0].path[:80]!r}", "outside")
        with held(os.fsencode(source)) as opened:
            return _made(opened, header.format, os.path.abspath(os.fsencode(target)), disk, told)
    return wrong[0]


def _made(source: Source, kind: str, target: bytes, disk: Disk, told: Told) -> Receipt:
    free([target])
    if found := next((each for each in dangers(source)), None):
        raise BrokenError(f"is not rewritten: {found.why}", "dangerous")
    file = file_of(source)
    describe = Arrays()
    stream = follow(file, 0, describe.filled)
    if stream.end != source.size:
        raise BrokenError(f"has {source.size - stream.end:,} bytes behind its pickle", "odd")
    schema = Schema(describe, source.size, source.read)
    root = {**schema.node(stream.value, ""), "protocol": PROTOCOL, "_skops_version": VERSION}
    text = json.dumps(root, indent=2).encode()
    entries = placed([*schema.members, Member("schema.json", text)], ALIGNED)
    mode = stat.S_IMODE(source.seen.st_mode) & 0o666 | 0o600
    total = 2 * sum(each.member.more for each in entries)
    with filling(disk, os.path.dirname(target), b"convert-0", size_of(entries), mode) as draft:
        _fill(draft, source, entries, schema, lambda done: told(done, total))
        source.check()
        _prove(source, draft.path, entries, schema, root)
        with held(draft.path) as copy:
            written = Written(shown(target), copy.size, copy.digest(), len(schema.members))
        digest = source.digest()
        source.check()
        draft.keep(target)
        told(total, total)
    return _receipt(source, kind, digest, written, schema)


def _fill(
    draft: Filling, source: Source, entries: Sequence[Entry], schema: Schema, told: Callable[[int], None]
) -> None:
    """Writes the members, elements straight from the source, then what lies around them with its checksums."""
    sums: dict[str, int] = {}
    done = 0
    for each in entries:
        member = each.member
        if member.key:
            draft.put(member.data, each.start)
            draft.copy(source.descriptor, schema.sources[member.key].offset, member.more, each.start + len(member.data))
            sums[member.key] = _sum(draft.pieces(each.start, member.size))
            done += member.more
            told(done)
    for at, data in frame(entries, sums):
        draft.put(data, at)
    draft.sync()


def _sum(pieces: Iterable[memoryview]) -> int:
    found = 0
    for each in pieces:
        found = zlib.crc32(each, found)
    return found


def _prove(source: Source, path: bytes, entries: Sequence[Entry], schema: Schema, root: Node) -> None:
    """Reads the archive by the reader of archives, which knows not how it was written. BrokenError, `unequal`."""
    with held(path) as copy:
        file = file_of(copy)
        listing = zips.directory(file)
        if [each.name for each in listing.members] != [each.member.name for each in entries]:
            raise BrokenError("was copied wrongly: the copy has other members", UNEQUAL)
        for entry in entries:
            member = listing.find(entry.member.name)
            start = zips.start_of(file, member) if member else None
            if member is None or start is None or member.size != entry.member.size:
                raise BrokenError(f"was copied wrongly: {entry.member.name} has another size", UNEQUAL)
            _equal(source, copy, entry.member, start, schema)
        last = listing.find("schema.json")
        start = zips.start_of(file, last) if last else None
        if last is None or start is None or json.loads(copy.read(start, last.size)) != json.loads(json.dumps(root)):
            raise BrokenError("was copied wrongly: its schema differs", UNEQUAL)


def _equal(source: Source, copy: Source, member: Member, start: int, schema: Schema) -> None:
    if copy.read(start, len(member.data)) != member.data:
        raise BrokenError(f"was copied wrongly: {member.name} differs", UNEQUAL)
    if not member.key:
        return
    begins = start + len(member.data)
    room = bytearray(min(PIECE, member.more))
    for at, data in source.pieces(schema.sources[member.key].offset, member.more):
        if not copy.equal(begins + at, data, room):
            raise BrokenError(f"was copied wrongly: {member.name} differs", UNEQUAL)


def _receipt(source: Source, kind: str, digest: str, written: Written, schema: Schema) -> Receipt:
    trusted = [each for each in UNTRUSTED if each in schema.classes]
    asks = f"skops loads it when {', '.join(trusted)} is named as trusted: skops.io.load(path, trusted=[...])"
    return Receipt(
        shown(source.path),
        kind,
        source.size,
        digest,
        (written,),
        "",
        len(schema.members),
        sum(each.length for each in schema.sources.values()),
        {},
        {},
        (),
        ("the same versions of scikit-learn and numpy are needed as for the pickle", *([asks] if trusted else [])),
        rfc3339(time.time_ns()),
        Path.of(real(source.path)),
        source.mark,
    )
