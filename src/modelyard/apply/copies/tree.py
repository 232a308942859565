"""Copies a folder in loads: while one is flushed, read back and proven, the next one is written.

Many small files are flushed together, by one flush of their file system, and read back together, for the disk to sort.
"""

from __future__ import annotations

import os
import stat
from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from msgspec import Struct, field

from modelyard.apply.copies import able
from modelyard.apply.copies.passage import Altered, Passage, dressed, flagged
from modelyard.apply.copies.staging import Staging
from modelyard.apply.copies.streams import Room
from modelyard.apply.copies.things import Thing, Things, Unfit, differing, kinds_of, things
from modelyard.apply.disk import Disk
from modelyard.apply.trash import remove_tree
from modelyard.walk.mounts import mount_at, mounts
from modelyard.walk.read import opened

FILES = 192
"""Files of a load: each one is open twice."""
WEIGHT = 128 << 20
"""Bytes of a load."""
WAITING = 2
"""Loads that are written and not proven yet."""
AHEAD = 32
"""Files that are opened, and asked for, before the first of them is read."""
ROUNDS = 4
"""How often a source that is written to is looked through again."""
FLUSHED_WHOLE = ("ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "f2fs", "zfs", "bcachefs")
"""File systems of which one flush is known to be the flush of each of its files; of others each file is flushed."""

SUBVOLUMES = ("btrfs", "bcachefs")
"""File systems of several device numbers, between which nothing is renamed and extents are shared all the same."""

Told = Callable[[int, int], None]


class Load(Struct):
    """Pieces of files that are written, and the files that end with them."""

    pieces: list[tuple[Passage, int, int]] = field(default_factory=list)
    ended: list[Passage] = field(default_factory=list)
    weight: int = 0

    @property
    def passages(self) -> list[Passage]:
        """The files of which something is in it."""
        return list(dict.fromkeys([*(passage for passage, _, _ in self.pieces), *self.ended]))


def grown(
    disk: Disk, source: bytes, target: bytes, left: Collection[bytes], told: Told, *, verbatim: bool = False
) -> bytes:
    """A proven copy of a folder or file, on the medium, in the staging folder of its place; where it lies there.

    `verbatim`: links keep their text, also those that lead into the source by its whole path.
    Goes on with what an earlier attempt proved. Unfit where it cannot be or the source is written to without end;
    OSError as the disks raise it. The source is only read.
    """
    staging = Staging(disk, target, source)
    try:
        for _ in range(ROUNDS):
            found = Things(things(source, left))
            carrier = _Carrier(disk, staging, source, source if verbatim else target, found, told)
            again = carrier.run()
            changed = differing(found, things(source, left)) or again
            if not changed:
                staging.flush(whole=carrier.whole)
                return staging.tree
            staging.remember()
        raise Unfit(os.path.join(source, changed[0]), "it is written to again and again")
    finally:
        staging.close()


class _Carrier:
    """One round: what is not proven yet is copied, what is gone from the source goes from the copy."""

    def __init__(
        self, disk: Disk, staging: Staging, source: bytes, target: bytes, found: Sequence[Thing], told: Told
    ) -> None:
        self._disk, self._staging, self._source, self._target = disk, staging, source, target
        self._found, self._told = found, told
        self._load, self._waiting = Load(), deque[Future[None]]()
        self._total = self._done = 0
        mounts.cache_clear()
        mount = mount_at(staging.folder)
        self.whole = mount is not None and mount.kind in FLUSHED_WHOLE
        self._share = os.lstat(source).st_dev == staging.device or (mount is not None and mount.kind in SUBVOLUMES)
        self._again: list[bytes] = []
        self._room = Room()

    def run(self) -> list[bytes]:
        """Makes the copy as far as the source lets itself be copied; the paths that have to be looked at again."""
        begun = os.path.lexists(self._staging.tree)
        if begun:
            self._clear()
        kinds = kinds_of(self._found)
        self._total = sum(each.size for each in self._of(kinds.files))
        held = {number for number in kinds.files if begun and self._staging.holds(self._found[number])}
        self._done = sum(self._found[number].size for number in held)
        missing = array("L", (number for number in kinds.files if number not in held))
        if begun:
            self._drop(missing)
        able.check(self._disk, self._staging.folder, self._found, self._done, len(held))
        for each in self._of(kinds.folders):
            self._folder(each)
        for each in self._of(kinds.links):
            self._link(each)
        for each in self._of(kinds.special):
            self._special(each)
        self._files(missing)
        for number in kinds.others:
            each = self._found[number]
            self._second_name(self._found[kinds.first[each.inode]], each)
        for each in self._of(reversed(kinds.folders)):
            self._finish(each)
        return self._again

    def _of(self, numbers: Iterable[int]) -> Iterator[Thing]:
        return (self._found[number] for number in numbers)

    def _clear(self) -> None:
        """Takes away what an earlier attempt copied and is not in the source any more, or is something else there."""
        wanted = {each.path: stat.S_IFMT(each.mode) for each in self._found}
        gone: list[Thing] = []
        for each in things(self._staging.tree):
            if gone and each.path.startswith(gone[-1].path + b"/"):
                continue
            if wanted.get(each.path) != stat.S_IFMT(each.mode):
                gone.append(each)
            elif each.is_folder and each.mode & 0o700 != 0o700:
                self._disk.permit(self._staging.place(each), None)
        for each in gone:
            remove_tree(self._disk, self._staging.place(each))

    def _drop(self, numbers: Iterable[int]) -> None:
        """Takes away what an earlier attempt wrote and did not prove: it takes the room of what is to come."""
        for each in self._of(numbers):
            if os.path.lexists(place := self._staging.place(each)):
                remove_tree(self._disk, place)

    def _folder(self, each: Thing) -> None:
        place = self._staging.place(each)
        if not os.path.lexists(place):
            self._disk.make_folder(place)

    def _link(self, each: Thing) -> None:
        """A link with its text; one that leads into the source by its whole path leads into the copy instead."""
        place = self._staging.place(each)
        text = rebased(os.readlink(_at(self._source, each.path)), self._source, self._target)
        if os.path.lexists(place):
            if os.readlink(place) == text:
                return
            remove_tree(self._disk, place)
        self._disk.symlink(text, place)
        self._dress(each)

    def _special(self, each: Thing) -> None:
        """A device, pipe or socket: overlay file systems note with devices what was removed."""
        place = self._staging.place(each)
        if os.path.lexists(place):
            remove_tree(self._disk, place)
        self._disk.special(place, each.mode, each.number)
        self._dress(each)

    def _dress(self, each: Thing) -> None:
        """Gives a name that cannot be opened what it has beside that."""
        path, place = _at(self._source, each.path), self._staging.place(each)
        seen = os.lstat(place)
        dressed(self._disk, path, place, each, (seen.st_uid, seen.st_gid), path)

    def _second_name(self, first: Thing, each: Thing) -> None:
        place, other = self._staging.place(each), self._staging.place(first)
        if not os.path.lexists(other):
            self._again.append(each.path)
            return
        if os.path.lexists(place):
            if os.path.samefile(place, other):
                return
            remove_tree(self._disk, place)
        self._disk.link(other, place)

    def _finish(self, each: Thing) -> None:
        """Gives a folder what it has beside its names, once those are there."""
        path, place = _at(self._source, each.path), self._staging.place(each)
        with opened(path) as source, opened(place) as target:
            flagged(self._disk, source, target, path)
            seen = os.fstat(target)
            dressed(self._disk, source, target, each, (seen.st_uid, seen.st_gid), path)
        if not self.whole:
            self._disk.sync_folder(place)

    def _files(self, files: Sequence[int]) -> None:
        under_way: list[Passage] = []
        with ThreadPoolExecutor(1, "proving") as worker, Room() as room, self._room:
            try:
                for start in range(0, len(files), AHEAD):
                    group = list(self._opened(self._of(files[start : start + AHEAD])))
                    under_way = [each for each in under_way if each.source >= 0] + group
                    for passage in group:
                        self._send(passage, worker, room)
                self._submit(worker)
                while self._waiting:
                    self._waiting.popleft().result()
            finally:
                for future in self._waiting:
                    future.cancel()
                worker.shutdown(wait=True)
                for passage in under_way:
                    passage.close()

    def _opened(self, files: Iterable[Thing]) -> Iterator[Passage]:
        """Those that are still as they were seen; the others are looked at again."""
        for each in files:
            try:
                yield Passage(self._disk, self._source, each, self._staging.place(each))
            except (Altered, FileNotFoundError):
                self._again.append(each.path)

    def _send(self, passage: Passage, worker: ThreadPoolExecutor, room: Room) -> None:
        self._share = passage.begin(share=self._share) or (self._share and not passage.thing.size)
        try:
            for start, length in passage.segments(room):
                self._load.pieces.append((passage, start, length))
                self._load.weight += length
                if self._load.weight >= WEIGHT:
                    self._submit(worker)
        except Altered:
            self._again.append(passage.thing.path)
            self._load.pieces = [each for each in self._load.pieces if each[0] is not passage]
            while self._waiting:  # a piece of it may be on its way
                self._waiting.popleft().result()
            passage.close()
            return
        passage.dress()
        self._load.ended.append(passage)
        if len(self._load.ended) >= FILES:
            self._submit(worker)

    def _submit(self, worker: ThreadPoolExecutor) -> None:
        load, self._load = self._load, Load()
        while len(self._waiting) >= WAITING:
            self._waiting.popleft().result()
        if load.pieces or load.ended:
            self._waiting.append(worker.submit(self._prove, load))

    def _prove(self, load: Load) -> None:
        """Lets a load reach the medium, reads it back from there, and notes what is proven."""
        passages = load.passages
        if self.whole and len(passages) > 1:
            self._disk.sync_disk(self._staging.descriptor)
        else:
            for passage in passages:
                self._disk.sync(passage.target)
        for passage, start, length in load.pieces:
            passage.forget(start, length)
        for passage, start, length in load.pieces:
            passage.read_back(start, length, self._room)
        proven = [(each.thing, each.ours, each.prove()) for each in load.ended]
        if proven:
            self._staging.note(proven)
        for passage in load.ended:
            passage.close()
        self._done += sum(length for _, _, length in load.pieces)
        self._told(min(self._done, self._total), self._total)


def _at(root: bytes, path: bytes) -> bytes:
    return os.path.join(root, path) if path else root


def rebased(text: bytes, source: bytes, target: bytes) -> bytes:
    """The text of a link, leading to the target where it led to the source or into it by a whole path."""
    if not text.startswith(b"/"):
        return text
    real = os.path.join(os.path.realpath(os.path.dirname(text)), os.path.basename(text))
    if real != source and not real.startswith(source.rstrip(b"/") + b"/"):
        return text
    return target + real[len(source.rstrip(b"/")) :]
