"""Where modelyard keeps what it must remember: journals and the lock, and its own trash."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from modelyard.apply import journal
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from modelyard.apply.trash import NAME
from modelyard.inventory import Platform
from modelyard.problem import Problem

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
SUFFIX = b".jsonl"


class Rooms(Struct, frozen=True):
    """Folders: `state` for new journals, `others` where earlier ones may lie, `trash` in the home."""

    state: bytes
    others: tuple[bytes, ...]
    trash: bytes

    @property
    def data(self) -> bytes:
        """The folder of what is to last: pins, capsules, the trash."""
        return os.path.dirname(self.trash)

    @property
    def capsules(self) -> bytes:
        """Where capsules of environments are kept."""
        return os.path.join(self.data, b"capsules")

    def file(self, plan: str) -> bytes:
        """The journal of a plan."""
        return os.path.join(self.state, plan.encode() + SUFFIX)

    def ledgers(self) -> Iterator[Ledger | Problem]:
        """Every journal, the oldest first; those that cannot be read are Problems."""
        found = []
        for folder in (self.state, *self.others):
            if os.path.isdir(folder):
                found += [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(SUFFIX)]
        read = [journal.read(path) for path in found]
        yield from (each for each in read if isinstance(each, Problem))
        ledgers = [each for each in read if isinstance(each, Ledger)]
        yield from sorted(ledgers, key=lambda each: (each.plan.created, each.plan.id))


def known_rooms(env: Mapping[str, str], home: Path, platform: Platform) -> Rooms:
    """The folders as they would be; nothing is made, so that journals can be read without a trace."""
    data, state = _folders(env, home, platform)
    return Rooms(state, _own(_spare(env, state)), os.path.join(data, NAME % os.getuid()))


def rooms(env: Mapping[str, str], home: Path, platform: Platform, disk: Disk) -> Rooms:
    """The folders, made where they are missing. A full or read-only home: memory that outlives the program holds the
    journal until there is room. OSError when neither can be had.
    """
    data, state = _folders(env, home, platform)
    try:
        _make(disk, data)
        _make(disk, state)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        return rooms_in_memory(env, home, platform, disk)
    return Rooms(state, _own(_spare(env, state)), os.path.join(data, NAME % os.getuid()))


def state_room(env: Mapping[str, str], home: Path, platform: Platform, disk: Disk) -> bytes:
    """The folder of what is only remembered, made where it is missing. OSError when it cannot be had."""
    _, state = _folders(env, home, platform)
    _make(disk, state)
    return state


def rooms_in_memory(env: Mapping[str, str], home: Path, platform: Platform, disk: Disk) -> Rooms:
    """The folders when the home has no room for a journal. OSError where somebody else could write there."""
    data, state = _folders(env, home, platform)
    spare = _spare(env, state)
    _make(disk, spare)
    if not _own(spare):
        raise PermissionError(errno.EACCES, "the home is full, and this is not one's own", os.fsdecode(spare))
    return Rooms(spare, (state,), os.path.join(data, NAME % os.getuid()))


def _folders(env: Mapping[str, str], home: Path, platform: Platform) -> tuple[bytes, bytes]:
    """The platform's folders of an application's data and state (XDG base directories, Apple's file system guide)."""
    if platform == "macos":
        base = home / "Library" / "Application Support" / "modelyard"
        return bytes(base), bytes(base / "journal")
    data = _base(env, "XDG_DATA_HOME", home / ".local" / "share")
    state = _base(env, "XDG_STATE_HOME", home / ".local" / "state")
    return bytes(data / "modelyard"), bytes(state / "modelyard")


def _base(env: Mapping[str, str], variable: str, default: Path) -> Path:
    """A base directory; a relative one is invalid and is ignored, as its specification wants."""
    told = env.get(variable, "")
    return Path(told) if told.startswith("/") else default


def _spare(env: Mapping[str, str], state: bytes) -> bytes:
    """A folder in memory that lasts until the machine stops: one for each home, whose journals are its own."""
    runtime = env.get("XDG_RUNTIME_DIR")
    shared = os.fsencode(f"{runtime}/modelyard" if runtime else f"/dev/shm/modelyard-{os.getuid()}")  # noqa: S108 - _own
    return os.path.join(shared, hashlib.sha256(state).hexdigest()[:12].encode())


def _own(spare: bytes) -> tuple[bytes, ...]:
    """The folder where nobody else could have made it. Everybody may write into the memory that it lies in, and a
    journal in it tells the next start what to remove.
    """
    for folder in (os.path.dirname(spare), spare):
        try:
            seen = os.lstat(folder)
        except OSError:
            return ()
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o022:
            return ()
    return (spare,)


def _make(disk: Disk, folder: bytes) -> None:
    if os.path.isdir(folder):
        return
    if os.path.lexists(folder):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fsdecode(folder))
    parent = os.path.dirname(folder)
    if not os.path.isdir(parent):
        _make(disk, parent)
    disk.make_folder(folder)
    disk.sync_folder(parent)
