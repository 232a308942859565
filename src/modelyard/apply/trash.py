"""Where removed things wait: on their own device, outside every store, for nobody but their owner to enter."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from modelyard.apply.disk import Disk

NAME = b".modelyard-trash-%d"
LONGEST = 120
ELSEWHERE = (errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS)
"""The next folder is tried when a rename or a new folder fails like this."""


@dataclass(slots=True)
class Trash:
    """The trash folders of one plan. `own` is modelyard's folder of data, `avoided` the roots of stores."""

    disk: Disk
    plan: str
    own: bytes
    avoided: Sequence[bytes]
    user: int
    known: dict[int, bytes] = field(default_factory=dict)
    """By device the folder that took something of it."""
    because: str = ""
    """Why the last folder that was tried could not be had."""

    def places(self, path: bytes, number: int) -> Iterator[bytes]:
        """Where a thing may go, the best first. Folders are made on the way; OSError when none can be."""
        device = os.lstat(os.path.dirname(path)).st_dev
        name = b"%04d-%s" % (number, os.path.basename(path)[:LONGEST])
        if device in self.known:
            yield os.path.join(self.known[device], name)
        for folder in self._folders(path, device):
            try:
                place = self._made(folder)
            except OSError as error:
                self.because = os.strerror(error.errno or 0)
                if error.errno == errno.ENOSPC:  # no room even for a folder: a hidden name in one that is there
                    yield folder + b"-" + self.plan.encode() + b"-" + name
                elif error.errno not in ELSEWHERE:
                    raise
                continue
            self.known[device] = place
            yield os.path.join(place, name)

    def _folders(self, path: bytes, device: int) -> Iterator[bytes]:
        """modelyard's own folder, then the highest folders above the thing that lie on its device."""
        if _device_of(os.path.dirname(self.own)) == device:
            yield self.own
        above = list(_above(path))
        same = [folder for folder in above if _device_of(folder) == device and not self._inside_a_store(folder)]
        yield from (os.path.join(folder, NAME % self.user) for folder in reversed(same))

    def _inside_a_store(self, folder: bytes) -> bool:
        return any(folder == root or folder.startswith(root.rstrip(b"/") + b"/") for root in self.avoided)

    def _made(self, folder: bytes) -> bytes:
        """The plan's folder in a trash, made where it is missing."""
        place = os.path.join(folder, self.plan.encode())
        for each in (folder, place):
            try:
                self.disk.make_folder(each)
            except FileExistsError:
                seen = os.lstat(each)
                if seen.st_uid != self.user or not os.path.isdir(each) or os.path.islink(each):
                    raise PermissionError(errno.EACCES, "the trash is not one's own", os.fsdecode(each)) from None
            else:
                self.disk.sync_folder(os.path.dirname(each))
        return place


def _above(path: bytes) -> Iterator[bytes]:
    """The folders above a path, the nearest first."""
    folder = os.path.dirname(path)
    while True:
        yield folder
        if folder == os.path.dirname(folder):
            return
        folder = os.path.dirname(folder)


def _device_of(folder: bytes) -> int | None:
    try:
        return os.lstat(folder).st_dev
    except OSError:
        return None


def out_of_reach(place: bytes) -> bool:
    """Whether the folder of a place is gone, as when its drive is not mounted: what it held may still be there."""
    return not os.path.isdir(os.path.dirname(place))


def remove_tree(disk: Disk, path: bytes) -> None:
    """Removes a thing for good, never following a link. OSError at the first name that cannot be removed."""
    parent = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _remove(disk, os.path.basename(path), parent)
    finally:
        os.close(parent)


def _remove(disk: Disk, name: bytes, parent: int) -> None:
    seen = os.lstat(name, dir_fd=parent)
    if not os.path.stat.S_ISDIR(seen.st_mode):  # type: ignore[attr-defined]
        disk.unlink(name, parent)
        return
    if seen.st_mode & 0o700 != 0o700:
        disk.permit(name, parent)
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        for each in os.listdir(folder):
            _remove(disk, os.fsencode(each), folder)
    finally:
        os.close(folder)
    disk.remove_folder(name, parent)
