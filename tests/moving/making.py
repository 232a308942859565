"""A store with something of every kind in it, what there is to see of it, and plans that move it."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import makers
from apply.work import engine as engine_of
from apply.work import journal_file, now
from modelyard.apply import journal as journals
from modelyard.apply import marks
from modelyard.apply.disk import Disk
from modelyard.apply.journal import Ledger
from modelyard.apply.recover import recover
from modelyard.apply.together import whole
from modelyard.plan import Mark, Move, Origin, Plan
from modelyard.plan import Path as Place
from modelyard.policies.moving import Part, Way, Write, steps

OLD = 1_600_000_000_123_456_789
CAPABLE = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
"""The capability to bind low ports, as the kernel keeps it (capabilities(7))."""
OTHERS = re.compile(r"security\.(?!capability)|trusted\.SGI_").match
READERS = struct.pack("<I", 2) + b"".join(  # an access control list as the kernel keeps it (acl(5))
    struct.pack("<HHI", tag, bits, who)
    for tag, bits, who in ((1, 6, 2**32 - 1), (2, 4, 4242), (4, 4, 2**32 - 1), (16, 4, 2**32 - 1), (32, 0, 2**32 - 1))
)


def store(base: Path) -> Path:
    """A folder with everything that copies lose: names, holes, attributes, lists, owners, rights, times, links,

    capabilities, and what overlay file systems note by devices and attributes.
    """
    root = base / "store"
    big = makers.write(root / "blobs" / "big", hashlib.sha256(b"big").digest() * 40_000)
    os.link(big, root / "second-name")
    (root / "snapshots").mkdir()
    (root / "snapshots" / "relative").symlink_to("../blobs/big")
    (root / "dangling").symlink_to("nowhere")
    (root / "absolute").symlink_to(big)
    (root / "elsewhere").symlink_to("/etc/hostname")
    (root / "empty").mkdir()
    holes = root / "holes"
    with holes.open("wb") as file:
        file.truncate(9 << 20)
        file.seek(4 << 20)
        file.write(b"in the middle")
    os.truncate(makers.write(root / "all-hole", b""), 3 << 20)
    makers.write(root / "none", b"")
    odd = Path(os.fsdecode(bytes(root) + b"/odd\xff\n name"))
    makers.write(odd, b"odd")
    os.setxattr(big, "user.origin", b"here\0there")
    os.setxattr(root / "snapshots", "user.folder", b"too")
    os.setxattr(odd, "system.posix_acl_access", READERS)
    os.setxattr(root / "empty", "system.posix_acl_default", READERS)
    locked = root / "read-only"
    makers.write(locked / "kept", b"kept").chmod(0o400)
    for number in range(7):
        makers.write(root / "many" / f"{number}", b"%d" % number * 700)
    os.chown(root / "many" / "3", 1234, 4321)
    os.lchown(root / "dangling", 1234, 4321)
    (root / "many" / "4").chmod(0o4755)
    (root / "many").chmod(0o2750)
    os.chown(root / "many" / "5", 1234, 4321)
    os.setxattr(root / "many" / "5", "security.capability", CAPABLE)
    os.setxattr(root / "many", "trusted.overlay.opaque", b"y")
    os.setxattr(root / "dangling", "trusted.overlay.origin", b"\0here", follow_symlinks=False)
    specials(root)
    locked.chmod(0o500)
    for number, path in enumerate([*below(root)][::-1]):
        os.utime(path, ns=(OLD + number, OLD + 1000 * number + 7), follow_symlinks=False)
    return root


def specials(root: Path) -> None:
    """A whiteout with two names, another device, a pipe, and a socket that nobody listens at."""
    os.mknod(root / "whiteout", stat.S_IFCHR, 0)
    os.link(root / "whiteout", root / "whiteout-too")
    os.mknod(root / "device", stat.S_IFBLK | 0o640, os.makedev(7, 200))
    os.mkfifo(root / "pipe", 0o622)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.path.relpath(root / "socket"))  # a short path, wherever the tests lie


def below(root: Path) -> Iterator[Path]:
    """Everything at and below a folder, folders first."""
    yield root
    for folder, folders, files in os.walk(root):
        yield from (Path(folder) / name for name in [*folders, *files])


def sight(root: Path) -> dict[str, tuple[object, ...]]:
    """All that there is to see of each name below a folder, but for where it lies."""
    seen: dict[str, tuple[object, ...]] = {}
    first: dict[int, str] = {}
    for path in sorted(below(root)):
        name, each = str(path.relative_to(root)), path.lstat()
        first.setdefault(each.st_ino, name)
        told: list[object] = [oct(each.st_mode), each.st_uid, each.st_gid, each.st_mtime_ns, each.st_rdev]
        keys = os.listxattr(path, follow_symlinks=False)
        told.append([(key, os.getxattr(path, key, follow_symlinks=False)) for key in sorted(keys) if not OTHERS(key)])
        if path.is_symlink():
            told.append(os.readlink(path).replace(str(root), "<root>"))
        elif not path.is_dir():
            told += [first[each.st_ino], each.st_atime_ns > 0]
        if path.is_file() and not path.is_symlink():
            told.append(hashlib.sha256(path.read_bytes()).hexdigest())
        seen[name] = tuple(told)
    return seen


def contents(root: Path) -> dict[str, str]:
    """Every name with its digest or the text of its link."""
    return {
        str(path.relative_to(root)): os.readlink(path).replace(str(root), "<root>")
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        if path.is_dir()
        else f"{stat.S_IFMT(path.lstat().st_mode):o} {path.lstat().st_rdev}"
        for path in below(root)
    }


def mark(path: Path) -> Mark:
    """What a path looks like."""
    seen = marks.take(bytes(path))
    assert seen
    return seen


def plan_for(source: Path, target: Path, home: Path, *, linked: bool, renamed: bool = False) -> Plan:
    """A plan that moves a folder and leaves a link or writes a settings file."""
    settings = home / "settings.ini"
    write = Write(bytes(settings), f"place = {target}\n", marks.take(bytes(settings)))
    part = Part(bytes(source), bytes(source), mark(source), bytes(target))
    made = steps("store", Way(renamed, linked, () if linked else (write,), (part,)))
    origin = Origin("here", os.getuid(), str(home), [], now())
    move = Move("store", "store", Place.of(bytes(source)), Place.of(bytes(target)), "link", "", 0, 0, renamed)
    return Plan("move", now(), origin, made, [], 0, True, "", [], moves=[move], together=True).sealed()


def apply(home: Path, plan: Plan, disk: Disk) -> Ledger:
    """Makes the plan as a yard does; what came of it."""
    with journals.begin(disk, journal_file(home, plan), plan) as journal:
        engine_of(home, plan, disk, journal).run(range(len(plan.steps)))
        whole(disk, journal, now)
        return journal.ledger


def settle(home: Path, plan: Plan, disk: Disk) -> Ledger | None:
    """What the next start does first; None where the journal never came to be."""
    if not os.path.lexists(journal_file(home, plan)):
        return None
    ledger = journals.read(journal_file(home, plan))
    if not isinstance(ledger, Ledger):
        return None
    with journals.resume(disk, ledger) as journal:
        recover(disk, journal, now, engine_of(home, plan, disk, journal).hands.owner)
    return ledger


def again(source: Path, target: Path, home: Path, *, linked: bool) -> None:
    """The same command once more, if the first one did not come to its end."""
    if target.exists() and (source.is_symlink() if linked else not source.exists()):
        return
    plan = plan_for(source, target, home, linked=linked)
    plan = Plan(
        "move", "2027-01-01T00:00:00Z", plan.origin, plan.steps, [], 0, True, "", [], moves=plan.moves, together=True
    ).sealed()
    ledger = apply(home, plan, Disk())
    assert set(ledger.states) == {"done"}, ledger.reasons


def text_of(plan: Plan) -> list[str]:
    """The settings files that a plan writes."""
    return [base64.b64decode(step.content).decode() for step in plan.steps if step.do == "write"]
