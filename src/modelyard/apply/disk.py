"""The calls that change a disk, one system call each, so that a test may stop the program at any of them."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import sys
from collections.abc import Callable

from modelyard.walk.read import NO_TRACE

NOREPLACE = 1  # RENAME_NOREPLACE of renameat2(2)
EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
SWAP, EXCL = 2, 4  # RENAME_SWAP and RENAME_EXCL of renamex_np(2)
AT_FDCWD = -100
ACL_AND_ATTRIBUTES = 1 | 4  # COPYFILE_ACL and COPYFILE_XATTR of fcopyfile(3)
FICLONERANGE = 0x4020940D  # ioctl_ficlonerange(2)
FIDEDUPERANGE = 0xC0189436  # ioctl_fideduperange(2)
SET_FLAGS = 0x40086602  # FS_IOC_SETFLAGS of ioctl_iflags(2)
DIFFERS = 1  # FILE_DEDUPE_RANGE_DIFFERS


Rename = Callable[[bytes, bytes], int]


def _renames() -> tuple[Rename, Rename] | None:
    """The system's own renames where it has them: one that never replaces, and one that exchanges two names."""
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        rename = library.renamex_np
        rename.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint)
        return lambda old, new: int(rename(old, new, EXCL)), lambda old, new: int(rename(old, new, SWAP))
    if not hasattr(library, "renameat2"):
        return None
    renameat2 = library.renameat2
    renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)

    def renamed(flag: int) -> Rename:
        return lambda old, new: int(renameat2(AT_FDCWD, old, AT_FDCWD, new, flag))

    return renamed(NOREPLACE), renamed(EXCHANGE)


def _sync_range() -> Callable[[int, int, int, int], int] | None:
    """The system's way to begin writing a range, where it has one."""
    found = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None) if sys.platform == "linux" else None
    if found is not None:
        found.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return found


def _error(number: int, source: bytes, target: bytes) -> OSError:
    return OSError(number, os.strerror(number), os.fsdecode(source), None, os.fsdecode(target))


class Disk:
    """Changes names and files. Every method raises OSError as the system call does."""

    def __init__(self) -> None:
        self._renames = _renames()
        self._sync_range = _sync_range()
        self._syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)

    def make_folder(self, path: bytes, mode: int = 0o700) -> None:
        """A new folder, which only its owner may enter unless told."""
        os.mkdir(path, mode)

    def make_open_folder(self, path: bytes) -> None:
        """A new folder with the rights that programs of this user give theirs."""
        os.mkdir(path)

    def move(self, source: bytes, target: bytes) -> None:
        """Renames on one file system and never replaces: FileExistsError when the target is there."""
        if self._renames is not None:
            if self._renames[0](source, target) == 0:
                return
            number = ctypes.get_errno()
            if number not in (errno.EINVAL, errno.ENOSYS):
                raise _error(number, source, target)
        if os.path.lexists(target):  # a file system without such a rename
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(target))
        os.rename(source, target)

    def replace(self, source: bytes, target: bytes) -> None:
        """Renames a file over another one, atomically."""
        os.replace(source, target)

    def exchange(self, one: bytes, other: bytes) -> None:
        """Lets two names change places, atomically. ENOTSUP where the system cannot."""
        if self._renames is None:
            raise _error(errno.ENOTSUP, one, other)
        if self._renames[1](one, other) != 0:
            number = ctypes.get_errno()
            raise _error(errno.ENOTSUP if number in (errno.EINVAL, errno.ENOSYS) else number, one, other)

    def link(self, source: bytes, target: bytes) -> None:
        """One more name of a file; FileExistsError when the target is there."""
        os.link(source, target, follow_symlinks=False)

    def symlink(self, text: bytes, path: bytes) -> None:
        """A new symbolic link; FileExistsError when something is there."""
        os.symlink(text, path)

    def own(self, place: int | bytes, user: int, group: int) -> None:
        """Whose an open file, or a name that may be a link, is."""
        os.chown(place, user, group, follow_symlinks=isinstance(place, int))

    def stamp(self, place: int | bytes, read: int, written: int) -> None:
        """When an open file, or a name that may be a link, was read and written; nanoseconds since 1970."""
        os.utime(place, ns=(read, written), follow_symlinks=isinstance(place, int))

    def attributes(self, source: int, target: int) -> None:
        """Gives an open file the attributes and access control lists of another, as macOS copies them."""
        if ctypes.CDLL(None, use_errno=True).fcopyfile(source, target, None, ACL_AND_ATTRIBUTES):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def attribute(self, place: int | bytes, name: str, value: bytes) -> None:
        """Gives an open file, or a name that may be a link, an extended attribute, access control lists among them."""
        os.setxattr(place, name, value, follow_symlinks=isinstance(place, int))

    def flags(self, descriptor: int, flags: int) -> None:
        """The flags of an open file, as chattr(1) gives them. Linux alone."""
        fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("=i4x", flags))

    def mode(self, place: int | bytes, mode: int) -> None:
        """Who may do what with an open file, or with a name that is no link."""
        os.chmod(place, mode)

    def special(self, path: bytes, mode: int, number: int) -> None:
        """A new device of this number, pipe or socket, by the type in its mode; mknod(2)."""
        os.mknod(path, mode, number)

    def create(self, path: bytes, mode: int = 0o600) -> int:
        """A descriptor of a new file to append to."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def reopen(self, path: bytes) -> int:
        """A descriptor of a file that is there, to append to."""
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)

    def reserve(self, descriptor: int, size: int) -> None:
        """Room on the disk for that many bytes, without making the file longer where the system can."""
        if sys.platform == "linux":
            fallocate = ctypes.CDLL(None, use_errno=True).fallocate64
            fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
            if fallocate(descriptor, 1, os.fstat(descriptor).st_size, size) and ctypes.get_errno() == errno.ENOSPC:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def blank(self, path: bytes, mode: int = 0o600) -> int:
        """A descriptor of a new file to fill at any place."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW | NO_TRACE, mode)

    def put(self, descriptor: int, data: bytes | memoryview, at: int) -> None:
        """Writes all of it at a place."""
        while data:
            count = os.pwrite(descriptor, data, at)
            data, at = data[count:], at + count

    def copy(self, source: int, start: int, length: int, target: int, at: int) -> int:
        """Copies up to so many bytes from file to file within the system; how many. ENOSYS where it cannot."""
        if not hasattr(os, "copy_file_range"):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        return os.copy_file_range(source, target, length, start, at)

    def share(self, source: int, start: int, length: int, target: int, at: int) -> None:
        """Lets two files have the same extents, at whole blocks. OSError where the file system cannot."""
        if sys.platform != "linux":
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        fcntl.ioctl(target, FICLONERANGE, struct.pack("=qQQQ", source, start, length, at))

    def share_equal(self, source: int, start: int, length: int, target: int, at: int) -> int:
        """Lets the target have the source's extents where the system itself finds their bytes equal; how many.

        0: they differ. Neither file's times, size or bytes change. OSError where the file system cannot.
        """
        if sys.platform != "linux":
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        asked = bytearray(struct.pack("=QQHHIqQQiI", start, length, 1, 0, 0, target, at, 0, 0, 0))
        fcntl.ioctl(source, FIDEDUPERANGE, asked)
        done, status = struct.unpack_from("=Qi", asked, 40)
        if status < 0:
            raise OSError(-status, os.strerror(-status))
        return 0 if status == DIFFERS else int(done)

    def start_writing(self, descriptor: int, start: int, length: int) -> None:
        """Lets a piece of a file that waits in memory go to the medium, without waiting for it."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)

    def append(self, descriptor: int, data: bytes | memoryview) -> None:
        """Writes all of it at the end."""
        while data:
            data = data[os.write(descriptor, data) :]

    def cut(self, descriptor: int, length: int) -> None:
        """Takes away what stands behind `length` bytes of a file."""
        os.ftruncate(descriptor, length)

    def sync(self, descriptor: int) -> None:
        """Lets what was written reach the medium."""
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)

    def begin_sync(self, descriptor: int, start: int, length: int) -> None:
        """Lets the system begin to write bytes to the medium, so that `sync` waits less; sync_file_range(2)."""
        if self._sync_range is not None:
            self._sync_range(descriptor, start, length, 2)

    def sync_disk(self, descriptor: int) -> None:
        """Lets everything of the file system of an open file reach the medium. ENOSYS where it cannot be asked to."""
        if self._syncfs is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        if self._syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def sync_folder(self, path: bytes) -> None:
        """Lets the names of a folder reach the medium; file systems that cannot are passed over."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EROFS, errno.ENOTSUP):
                raise
        finally:
            os.close(descriptor)

    def sync_file_system(self, path: bytes) -> None:
        """Lets a file system finish what it does later, so that its free bytes are those there are. Linux alone."""
        library = ctypes.CDLL(None, use_errno=True)
        if hasattr(library, "syncfs"):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                library.syncfs(descriptor)
            finally:
                os.close(descriptor)

    def permit(self, name: bytes, folder: int | None) -> None:
        """Lets the owner look into and change a folder in the trash."""
        os.chmod(name, 0o700, dir_fd=folder)

    def unlink(self, name: bytes, folder: int) -> None:
        """Removes a name in an open folder."""
        os.unlink(name, dir_fd=folder)

    def remove_folder(self, name: bytes, folder: int | None = None) -> None:
        """Removes an empty folder."""
        os.rmdir(name, dir_fd=folder)
