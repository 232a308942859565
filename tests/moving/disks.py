"""Disks that lose their power, forget bits, go away, or keep less than others."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from walk.disks import FORCE, MIB, mounted, run

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
NO_LOG_FLUSH = 2


@contextmanager
def image(kind: str, base: Path, size: int = 400) -> Iterator[Path]:
    """The image of a fresh file system."""
    path = base / f"{kind}.img"
    with path.open("wb") as file:
        file.truncate(size * MIB)
    run(f"mkfs.{kind}", "-q", FORCE[kind], path)
    try:
        yield path
    finally:
        path.unlink()


@contextmanager
def plugged(path: Path, folder: Path) -> Iterator[Path]:
    """The file system of an image, by a loop device that keeps nothing in memory."""
    with mounted(path, folder, "-o", "loop") as place:
        yield place


def cut_power(folder: Path) -> None:
    """The disk stops as it is: what waits in memory never reaches it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    finally:
        os.close(descriptor)


def rot(path: Path, content: bytes) -> int:
    """Turns a bit of every place of an image that holds this content; how many places."""
    data = path.read_bytes()
    count, at = 0, data.find(content)
    with path.open("r+b") as file:
        while at >= 0:
            file.seek(at)
            file.write(bytes([content[0] ^ 1]))
            count, at = count + 1, data.find(content, at + 1)
        file.flush()
        os.fsync(file.fileno())
    return count


FAT = """
import errno, os, sys
import mfusepy
base, point, lacks = sys.argv[1], sys.argv[2], set(sys.argv[3].split(","))
class Fat(mfusepy.Operations):
    use_ns = True
    def __init__(self): self.written = 0
    def real(self, path):
        return base + (path.lower() if "case" in lacks else path)
    def getattr(self, path, fh=None):
        s = os.lstat(self.real(path))
        return {key: getattr(s, key) for key in ("st_mode","st_nlink","st_uid","st_gid","st_size","st_blocks")} | {
            "st_atime": s.st_atime_ns, "st_mtime": s.st_mtime_ns, "st_ctime": s.st_ctime_ns}
    def readdir(self, path, fh): return [".", "..", *os.listdir(self.real(path))]
    def mkdir(self, path, mode): return os.mkdir(self.real(path), mode)
    def rmdir(self, path): return os.rmdir(self.real(path))
    def unlink(self, path): return os.unlink(self.real(path))
    def rename(self, old, new, *flags): return os.rename(self.real(old), self.real(new))
    def symlink(self, target, source):
        if "links" in lacks: raise mfusepy.FuseOSError(errno.EPERM)
        return os.symlink(source, self.real(target))
    def readlink(self, path): return os.readlink(self.real(path))
    def link(self, target, source):
        if "names" in lacks: raise mfusepy.FuseOSError(errno.EPERM)
        return os.link(self.real(source), self.real(target))
    def chmod(self, path, mode):
        return 0 if "rights" in lacks else os.chmod(self.real(path), mode)
    def chown(self, path, uid, gid): return os.lchown(self.real(path), uid, gid)
    def utimens(self, path, times=None): return os.utime(self.real(path), ns=times, follow_symlinks=False)
    def create(self, path, mode, fi=None):
        if "odd" in lacks and set(path) & set(':?*"<>|'): raise mfusepy.FuseOSError(errno.EINVAL)
        return os.open(self.real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    def open(self, path, flags): return os.open(self.real(path), os.O_RDWR)
    def truncate(self, path, length, fh=None):
        if "large" in lacks and length > 0xFFFFFFFF: raise mfusepy.FuseOSError(errno.EFBIG)
        return os.truncate(self.real(path), length)
    def read(self, path, size, offset, fh): return os.pread(fh, size, offset)
    def write(self, path, data, offset, fh):
        self.written += len(data)
        if "end" in lacks and self.written > 100000: raise mfusepy.FuseOSError(errno.EIO)
        return os.pwrite(fh, data, offset)
    def release(self, path, fh): return os.close(fh)
    def fsync(self, path, datasync, fh): return os.fsync(fh)
    def statfs(self, path):
        s = os.statvfs(base)
        return {key: getattr(s, key) for key in ("f_bavail","f_bfree","f_blocks","f_bsize","f_frsize","f_namemax")}
mfusepy.FUSE(Fat(), point, foreground=True, nothreads=True)
"""
"""A file system in user space that keeps what it is told to lack no better than FAT does."""


@contextmanager
def lacking(base: Path, *lacks: str) -> Iterator[Path]:
    """A file system that lacks links, names (hard links), rights, case, odd names, large files, or fails at its end."""
    behind, point = base / "behind", base / "fat"
    behind.mkdir()
    point.mkdir()
    serving = subprocess.Popen([sys.executable, "-c", FAT, behind, point, ",".join(lacks)], stderr=subprocess.PIPE)
    try:
        for _ in range(200):
            if os.path.ismount(point):
                break
            time.sleep(0.05)
        else:
            raise AssertionError(serving.communicate(timeout=5)[1])
        yield point
    finally:
        run("fusermount3", "-u", "-z", point)
        serving.wait(10)
        assert serving.stderr
        serving.stderr.close()


class Unplugging:
    """What is told of bytes that are copied, and takes the drive away at the first."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.gone = folder, False

    def __call__(self, done: int, total: int) -> None:
        if not self.gone:
            self.gone = True
            run("umount", "-l", self.folder)
