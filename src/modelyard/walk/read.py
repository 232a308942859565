"""Capped readers that leave no trace: no access time is changed and no link is followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from modelyard.problem import Problem, from_errno
from modelyard.walk._walker import read_many as _read_many
from modelyard.walk.text import shown

CAP = 1 << 20
NO_TRACE = getattr(os, "O_NOATIME", 0)
FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def _open(path: bytes, flags: int) -> int:
    try:
        return os.open(path, flags | NO_TRACE)
    except PermissionError:
        if not NO_TRACE:
            raise
        return os.open(path, flags)


def begin(path: bytes, *, follow: bool = False) -> int:
    """A descriptor of a file to read, which is the caller's to close. OSError as the system raises it."""
    return _open(path, FLAGS | (0 if follow else os.O_NOFOLLOW))


@contextmanager
def opened(path: bytes, *, follow: bool = False) -> Iterator[int]:
    """A descriptor of a file to read, which is no link unless links are followed. OSError as the system raises it."""
    descriptor = begin(path, follow=follow)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def forget(path: bytes) -> None:
    """Lets the system forget what it remembers of a file, so that the medium is asked, and begin to read its head.

    What is mapped or not written yet it keeps. Nothing happens where it cannot, or where the file cannot be opened.
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError), opened(path) as descriptor:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.posix_fadvise(descriptor, 0, CAP, os.POSIX_FADV_WILLNEED)


def _drain(descriptor: int, wanted: int) -> bytes:
    parts = []
    while wanted > 0 and (part := os.read(descriptor, min(wanted, CAP))):
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)


def read_file(path: bytes, cap: int = CAP, *, follow: bool = False, head: bool = False) -> bytes | Problem:
    """The content of a regular file up to `cap` bytes; a longer file is a Problem unless only its head is wanted."""
    try:
        descriptor = _open(path, FLAGS | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        return from_errno(shown(path), error.errno or 0)
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            return Problem(shown(path), "not-a-file", "a plain file was expected here")
        if seen.st_size > cap and not head:
            return Problem(shown(path), "too-large", f"holds more than the {cap} bytes that this kind of file may have")
        return _drain(descriptor, cap)
    except OSError as error:
        return from_errno(shown(path), error.errno or 0)
    finally:
        os.close(descriptor)


def read_many(paths: Sequence[str], cap: int, threads: int = 1) -> list[bytes | None]:
    """What plain files hold that have at most `cap` bytes, links followed; None for any other and what cannot be read.

    Several threads read them. Nothing of a file is given that became shorter or longer meanwhile.
    """
    try:
        return _read_many([os.fsencode(each) for each in paths], cap, threads)
    except ValueError:  # a NUL in a path
        return [None] * len(paths)


def pieces(path: bytes, size: int = CAP) -> Iterator[bytes]:
    """The content of a regular file, a piece at a time. OSError as the system raises it."""
    descriptor = _open(path, FLAGS | os.O_NOFOLLOW)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), os.fsdecode(path))
        while piece := os.read(descriptor, size):
            yield piece
    finally:
        os.close(descriptor)


def read_span(path: bytes, start: int, size: int) -> bytes | Problem:
    """Up to `size` bytes of a regular file from `start` on; fewer where it ends before."""
    try:
        descriptor = _open(path, FLAGS | os.O_NOFOLLOW)
    except OSError as error:
        return from_errno(shown(path), error.errno or 0)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Problem(shown(path), "not-a-file", "a plain file was expected here")
        return os.pread(descriptor, size, start)
    except OSError as error:
        return from_errno(shown(path), error.errno or 0)
    finally:
        os.close(descriptor)


def read_link(path: bytes) -> bytes | Problem:
    """The text of a symbolic link."""
    try:
        return os.readlink(path)
    except OSError as error:
        return from_errno(shown(path), error.errno or 0)


def names_in(folder: str) -> list[str]:
    """The names in a folder wherever it lies, in order; none where it cannot be listed."""
    try:
        descriptor = _open(os.fsencode(folder), FLAGS | getattr(os, "O_DIRECTORY", 0))
    except (OSError, ValueError):  # ValueError: a NUL in a variable
        return []
    try:
        return sorted(os.listdir(descriptor))
    except OSError:
        return []
    finally:
        os.close(descriptor)


def status(path: str | os.DirEntry[str]) -> os.stat_result | None:
    """What a path leads to, links followed; None where it leads nowhere."""
    try:
        return path.stat() if isinstance(path, os.DirEntry) else os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None


def listed(folder: str) -> list[tuple[str, bool, os.stat_result | None]]:
    """The names in a folder in order, whether each is a link, and what it leads to; none where it cannot be listed."""
    try:
        descriptor = _open(os.fsencode(folder), FLAGS | getattr(os, "O_DIRECTORY", 0))
    except (OSError, ValueError):
        return []
    try:
        with os.scandir(descriptor) as entries:
            return sorted((each.name, each.is_symlink(), status(each)) for each in entries)
    except OSError:
        return []
    finally:
        os.close(descriptor)


def read_setting(path: str) -> str | Problem:
    """The text of a small settings file wherever it lies, empty where there is none."""
    try:
        name = os.fsencode(path)
        if not os.path.lexists(name):
            return ""
    except ValueError:  # a NUL in a variable
        return ""
    data = read_file(name, follow=True)
    if isinstance(data, Problem):
        return data
    if b"\0" in data:
        return Problem(shown(name), "not-text", "text was expected here")
    return data.decode("utf-8", "replace")


@contextmanager
def opened_folder(path: bytes) -> Iterator[int]:
    """A descriptor of a folder that is no link. OSError as the system raises it."""
    descriptor = _open(path, FLAGS | getattr(os, "O_DIRECTORY", 0) | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_below(folder: int, name: bytes) -> Iterator[int]:
    """A descriptor of a regular file below an open folder, with no link on the way. OSError as the system raises it."""
    here = os.dup(folder)
    try:
        *above, last = name.split(b"/")
        for part in above:
            inner = os.open(part, FLAGS | getattr(os, "O_DIRECTORY", 0) | os.O_NOFOLLOW, dir_fd=here)
            here, outer = inner, here
            os.close(outer)
        descriptor = os.open(last, FLAGS | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), os.fsdecode(name))
        yield descriptor
    finally:
        os.close(descriptor)
