"""Where removed things wait: on their own device, outside every store, for nobody but their owner to enter."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from modelyard.apply.disk import Disk
from modelyard.walk.mounts import mounts_within

NAME = b".modelyard-trash-%d"
LONGEST = 120
ELSEWHERE = (errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS)
"""The next folder is tried when a rename or a new folder fails like this."""
MOUNTED = "another file system is mounted in it"


class Trash(Struct):
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
    """Removes a thing for good, never following a link and never entering a file system that is mounted in it.

    One folder is open at a time, however deep they lie. OSError at the first name that cannot be removed.
    """
    if mounts_within(path):
        raise OSError(errno.EBUSY, MOUNTED, os.fsdecode(path))
    name, parent = os.path.basename(path), _opened(os.path.dirname(path))
    try:
        if not stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
            disk.unlink(name, parent)
            return
        _remove_folder(disk, name, parent)
    finally:
        os.close(parent)


def _remove_folder(disk: Disk, name: bytes, parent: int) -> None:
    mount = _mount_of(parent)
    at = _entered(disk, name, parent, mount)
    above = [_Above(name, _id_of(at), _emptied(disk, at))]
    try:
        while above:
            here = above[-1]
            if here.folders:
                name = here.folders.pop()
                at = _closing(at, _entered(disk, name, at, mount))
                above.append(_Above(name, _id_of(at), _emptied(disk, at)))
                continue
            above.pop()
            at = _closing(at, _opened(b"..", at) if above else os.dup(parent))
            if above and _id_of(at) != above[-1].id:
                raise OSError(errno.ESTALE, "it was moved while it was removed", os.fsdecode(here.name))
            disk.remove_folder(here.name, at)
    finally:
        os.close(at)


class _Above(Struct, frozen=True):
    """A folder on the way down: its name, which one it is, and the folders in it that are still there."""

    name: bytes
    id: tuple[int, int]
    folders: list[bytes]


def _emptied(disk: Disk, folder: int) -> list[bytes]:
    """Removes all that is no folder, and gives the folders."""
    folders = []
    for each in map(os.fsencode, os.listdir(folder)):
        if stat.S_ISDIR(os.lstat(each, dir_fd=folder).st_mode):
            folders.append(each)
        else:
            disk.unlink(each, folder)
    return folders


def _entered(disk: Disk, name: bytes, parent: int, mount: int) -> int:
    if os.lstat(name, dir_fd=parent).st_mode & 0o700 != 0o700:
        disk.permit(name, parent)
    folder = _opened(name, parent)
    if _mount_of(folder) != mount:
        os.close(folder)
        raise OSError(errno.EBUSY, MOUNTED, os.fsdecode(name))
    return folder


def _opened(path: bytes, parent: int | None = None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    return os.open(path, flags | (0 if parent is None else os.O_NOFOLLOW), dir_fd=parent)


def _closing(old: int, new: int) -> int:
    os.close(old)
    return new


def _id_of(folder: int) -> tuple[int, int]:
    seen = os.fstat(folder)
    return seen.st_dev, seen.st_ino


def _mount_of(folder: int) -> int:
    """The mount that an open folder lies in, for a bind mount has the device of its source (proc(5), fdinfo)."""
    try:
        with open(b"/proc/self/fdinfo/%d" % folder, "rb") as file:
            found = re.search(rb"(?m)^mnt_id:\s*(\d+)", file.read())
    except OSError:
        found = None
    return int(found[1]) if found else os.fstat(folder).st_dev
