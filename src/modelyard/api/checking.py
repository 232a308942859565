"""Holds files against their words: each is read once, whatever is asked of it, and what came of it is a value."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from modelyard.api.expecting import Item
from modelyard.problem import Problem
from modelyard.stores.expects.expectation import Expectation
from modelyard.units import size as sized
from modelyard.walk.hash import CHANGED, Hashed, Method, Seen, Told, hash_anew, hash_file
from modelyard.walk.read import forget, opened
from modelyard.walk.text import shown

if TYPE_CHECKING:
    from modelyard.formats.whole import Whole

State = Literal["ok", "corrupt", "truncated", "missing", "changed", "unreadable", "unverifiable"]
STATES: tuple[State, ...] = ("ok", "unverifiable", "changed", "unreadable", "missing", "truncated", "corrupt")
"""The better ones first."""
LOST = ("missing", "truncated", "corrupt")
"""Something is not there as it was given."""
DIGESTS: dict[str, Method] = {
    "sha256": "sha256", "sha512": "sha512", "sha1": "sha1", "md5": "md5", "git-sha1": "git-sha1",
    "sha256-prefix": "sha256", "md5-dos2unix": "md5",
}  # fmt: skip
CODES: dict[str, State] = {
    "truncated": "truncated", "damaged": "corrupt", "lies": "corrupt", "deceptive": "corrupt", "changed": "changed",
    "vanished": "missing", "unreadable": "unreadable", "not-a-file": "corrupt",
}  # fmt: skip
"""What a Problem of reading a format means for the file; every other one is `unverifiable`."""
NOBODY = "nothing tells what its bytes should be"
TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
PIECE = 1 << 20
SMALL = 1 << 20
"""Bytes of files that are read many at a time."""


class Outcome(Struct, frozen=True):
    """What became of one item: what was found in words, by what it was told, and when it was read.

    `at` is in nanoseconds since 1970; `read` tells whether the file was read now. `seen`: which file it was.
    """

    item: Item
    state: State
    found: str
    how: Literal["digest", "structure", "name"]
    at: int
    read: bool = True
    seen: Seen | None = None
    hashed: Hashed | None = None

    @property
    def expected(self) -> str:
        """What the file has to be; empty where its own format, which is all there is, is not known."""
        unknown = self.state == "unverifiable" and self.how == "structure"
        return "" if unknown else _expected(self.item.expectation)


def _expected(told: Expectation) -> str:
    parts = [f"{told.method} {told.value}" if told.value and told.method in DIGESTS else ""]
    parts += [f"{told.size:,} bytes" if told.size is not None else ""]
    parts += ["to be there"] if told.method == "there" else []
    parts += ["to be whole by its own format"] if told.method == "structure" else []
    words = ", ".join(part for part in parts if part)
    return f"{words} ({told.by})" if told.by and words else words


def unread(item: Item, now: int) -> Outcome | None:
    """What can be said without reading: that it is gone, that it is there, that nothing can be known."""
    told = item.expectation
    if told.method == "nothing":
        return Outcome(item, "unverifiable", told.why, "name", now)
    if item.seen is not None and told.method != "there":  # whoever reads it notices when it has gone since
        return None
    if not os.path.lexists(told.path):
        return Outcome(item, "missing", "not there", "name", now)
    return Outcome(item, "ok", "there", "name", now) if told.method == "there" else None


def read_all(jobs: Iterable[Sequence[Item]], progress: Told | None = None) -> list[Outcome]:
    """The outcomes of a few files, of which the disk looks for the later ones while the first is digested.

    The medium is asked: a good copy in memory says nothing of what is left on the disk.
    """
    small: list[Sequence[Item]] = []
    others: list[Sequence[Item]] = []
    for items in jobs:
        (small if all(map(_is_small, items)) else others).append(items)
    for items in others:
        forget(items[0].path)
    found = list(_read_small(small, progress))
    return found + [outcome for items in others for outcome in read(items, progress)]


def _is_small(item: Item) -> bool:
    """Whether it is a small file of which a digest is all that is wanted."""
    return item.seen is not None and item.seen.size <= SMALL and _reads(item.expectation, item.seen)


def _read_small(jobs: Sequence[Sequence[Item]], progress: Told | None) -> Iterator[Outcome]:
    """The outcomes of small files, read together; one that cannot be read so is read alone, which tells why."""
    methods, now = [_methods(items) for items in jobs], time.time_ns()
    hashed = hash_anew([items[0].path for items in jobs], methods, SMALL)
    for items, each in zip(jobs, hashed, strict=True):
        if isinstance(each, int) and each != errno.ESTALE:
            yield from read(items, progress)
            continue
        if progress:
            progress(items[0].size)
        seen = items[0].seen
        assert seen is not None
        if isinstance(each, int):
            yield from _all_judged(items, seen, Problem(shown(items[0].path), "changed", CHANGED), progress, now)
        else:
            yield from _all_judged(items, each.seen, each, progress, now)


def _methods(items: Sequence[Item]) -> list[Method]:
    return sorted({DIGESTS[each.expectation.method] for each in items})


def read(items: Sequence[Item], progress: Told | None = None) -> list[Outcome]:
    """The outcomes of items of one file, which is read once for its digests and once more for its format."""
    path, now = items[0].path, time.time_ns()
    try:
        before = Seen.of(os.lstat(path))
    except FileNotFoundError:
        return [Outcome(each, "missing", "not there", "name", now) for each in items]
    except OSError as error:
        words = os.strerror(error.errno or 0)
        return [Outcome(each, "unreadable", words, "name", now) for each in items]
    methods = _methods([each for each in items if _reads(each.expectation, before)])
    hashed = hash_file(path, methods, progress) if methods else None
    return _all_judged(items, before, hashed, progress, now)


def _all_judged(
    items: Sequence[Item], seen: Seen, hashed: Hashed | Problem | None, progress: Told | None, now: int
) -> list[Outcome]:
    structure = _Structure(items[0].path, progress)
    return [_judged(each, seen, hashed, structure, now) for each in items]


def _reads(told: Expectation, seen: Seen) -> bool:
    """Whether the bytes have to be read: a file of another length is another file."""
    return told.method in DIGESTS and told.size in (None, seen.size)


class _Structure:
    """What a file's own format says of it, asked once and only where it matters."""

    def __init__(self, path: bytes, progress: Told | None) -> None:
        self._path, self._progress = path, progress
        self._found: Whole | Problem | None = None

    def found(self) -> Whole | Problem:
        """Whether it is whole."""
        if self._found is None:
            from modelyard.formats.whole import check  # late: it knows every format

            self._found = check(os.fsdecode(self._path), self._progress)
        return self._found


def _judged(item: Item, seen: Seen, hashed: Hashed | Problem | None, structure: _Structure, now: int) -> Outcome:
    told = item.expectation
    if told.size not in (None, seen.size):
        state: State = "truncated" if seen.size < (told.size or 0) else "corrupt"
        found = Outcome(item, state, f"{seen.size:,} bytes", "digest", now, seen=seen)
    elif told.method == "structure":
        found = _by_structure(item, structure.found(), now, seen)
    elif isinstance(hashed, Problem) or hashed is None:
        state = CODES.get(hashed.code, "unreadable") if hashed else "unreadable"
        why = f"{hashed.message}" if hashed else ""
        state = "unreadable" if hashed and hashed.code == "damaged" else state
        return Outcome(item, state, why, "digest", now)
    else:
        found = _by_digest(item, hashed, structure, now)
    if found.state in ("corrupt", "truncated") and told.noted is not None and seen.mtime > told.noted:
        return Outcome(item, "changed", "it was written to since that was noted", "digest", now, seen=seen)
    return found


def _by_digest(item: Item, hashed: Hashed, structure: _Structure, now: int) -> Outcome:
    told = item.expectation
    value = hashed.hex(DIGESTS[told.method])
    same = value.startswith(told.value) if told.method == "sha256-prefix" else value == told.value
    if not same and told.method == "md5-dos2unix":
        value = _as_text(told.path) or value
        same = value == told.value
    if same:
        return Outcome(item, "ok", value, "digest", now, seen=hashed.seen, hashed=hashed)
    broken = structure.found() if told.size is None else None
    state: State = "corrupt"
    found = f"{told.method.removesuffix('-prefix')} {value}"
    if (isinstance(broken, Problem) and broken.code == "truncated") or not hashed.seen.size:
        state, found = (
            "truncated",
            f"{sized(hashed.seen.size)}: {broken.message if isinstance(broken, Problem) else 'empty'}",
        )
    return Outcome(item, state, found, "digest", now, seen=hashed.seen, hashed=hashed)


def _by_structure(item: Item, whole: Whole | Problem, now: int, seen: Seen) -> Outcome:
    told = item.expectation
    if isinstance(whole, Problem):
        state = CODES.get(whole.code, "unverifiable")
        unknown = state == "unverifiable" and whole.code == "unknown"
        why = (
            told.why or NOBODY
            if unknown
            else f"it {whole.message}"
            if state in ("corrupt", "truncated")
            else whole.message
        )
        return Outcome(item, state, why, "structure", now, seen=seen)
    if whole.lacking:
        lacking = ", ".join(whole.lacking[:4]) + (" and more" if len(whole.lacking) > 4 else "")
        return Outcome(item, "missing", f"needs {lacking}", "structure", now, seen=seen)
    return Outcome(item, "ok", f"{whole.format}, by {whole.how}", "structure", now, seen=seen)


def _as_text(path: bytes) -> str:
    """The MD5 that DVC 2 gave a text: without the carriage returns before new lines; empty for what is no text.

    dvc_data/hashfile: `istextfile` looks at 512 bytes, and `dos2unix` at pieces of a megabyte.
    """
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with opened(path) as descriptor:
            at = 0
            while piece := os.pread(descriptor, PIECE, at):
                if not at and not _is_text(piece[:512]):
                    return ""
                digest.update(piece.replace(b"\r\n", b"\n"))
                at += len(piece)
    except OSError:
        return ""
    return digest.hexdigest()


def _is_text(head: bytes) -> bool:
    return b"\0" not in head and len(head.translate(None, TEXT)) <= 0.3 * len(head)


def path_of(outcome: Outcome) -> str:
    """The path as it is shown."""
    return shown(outcome.item.path)
