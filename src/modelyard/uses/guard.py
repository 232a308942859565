"""Why a step must not be made now: what it would take away is in use, is not ours, or lies where nobody looked."""

from __future__ import annotations

import os
from array import array
from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct, field

from modelyard.apply.marks import lonely
from modelyard.plan import Copy, Step
from modelyard.uses.locks import guarded
from modelyard.uses.processes import LOCKS, Grip, grips
from modelyard.walk.mounts import mounts_within
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree, walk


class Guard(Struct):
    """Looks at the processes once, when the first step is asked about. `roots` are the folders that were surveyed,

    `copies` the files that have to be there still when what they are copies of goes.
    """

    roots: Sequence[bytes]
    user: int
    copies: Sequence[Copy] = ()
    moved: Collection[str] = ()
    """What only gets another place."""
    _grips: list[Grip] | None = None
    _inodes: dict[tuple[int, int], Grip] = field(default_factory=dict)
    _foreign_below: bool = True
    _held_below: bool = True

    def look(self, tree: Tree) -> None:
        """Sees many folders at once: where none of them holds a foreign or an open file, none is walked again."""
        self._held_by()
        columns = tree.columns
        self._foreign_below = bool(set(array("Q", columns.column("uid"))) - {self.user})
        below = zip(array("Q", columns.column("device")), array("Q", columns.column("inode")), strict=True)
        self._held_below = not self._inodes.keys().isdisjoint(below)

    def why(self, step: Step) -> str:
        """The reason to refuse a step, empty when there is none."""
        path = bytes(step.path)
        reason = self._outside(path) or self._foreign(step, path) or lonely(self.copies, step.artifact)
        used = bytes(step.other) if step.do == "copy" and step.other else path
        return reason or _mounted(path) or self._in_use(used)

    def held(self, path: bytes) -> str:
        """The process that holds something at or below a path by that name, empty when none does."""
        below = path + b"/"
        found = (each for each in self._held_by() if each.path == path or each.path.startswith(below))
        return next((f"{each.who} {each.evidence}" for each in found), "")

    def _outside(self, path: bytes) -> str:
        """Whether links above the path lead out of what was surveyed."""
        folder = os.path.realpath(os.path.dirname(path))
        if any(folder == root or folder.startswith(root.rstrip(b"/") + b"/") for root in self.roots):
            return ""
        return f"it lies in {shown(folder)}, outside what was looked at"

    def _foreign(self, step: Step, path: bytes) -> str:
        if self.user == 0 and step.artifact in self.moved:
            return ""  # its owner stays its owner, and root may give that to the copy
        if step.expect is not None and step.expect.uid != self.user:
            return f"it belongs to user {step.expect.uid}"
        if step.expect is None or step.expect.kind != "folder":
            return ""
        if not self._foreign_below:
            return ""
        owners = set(array("Q", walk([path]).columns.column("uid"))) - {self.user}
        return f"files of user {min(owners)} lie in it" if owners else ""

    def _in_use(self, path: bytes) -> str:
        if why := self.held(path):
            return why
        for each in self._held_by():
            place = guarded(each.path)
            if place and (path + b"/").startswith(place + b"/"):
                return f"{each.who} {LOCKS} {shown(each.path)}"
        return self._by_another_name(path)

    def _held_by(self) -> list[Grip]:
        if self._grips is None:
            self._grips, _ = grips()
            self._inodes = {inode: each for each in self._grips if (inode := _inode(each.path))}
        return self._grips

    def _by_another_name(self, path: bytes) -> str:
        """Files of it that a process holds under a name elsewhere."""
        if not self._inodes or (not self._held_below and os.path.isdir(path)):
            return ""
        for inode in _inodes_below(path):
            if grip := self._inodes.get(inode):
                return f"{grip.who} {grip.evidence} by another name"
        return ""


def _mounted(path: bytes) -> str:
    """Whether a rename would take another file system along, whose files are not what was looked at."""
    found = mounts_within(path)
    return f"{shown(found[0])} is mounted in it" if found else ""


def _inodes_below(path: bytes) -> Iterable[tuple[int, int]]:
    """Device and inode of everything at and below a path."""
    if os.path.islink(path) or not os.path.isdir(path):
        found = _inode(path)
        return [found] if found else []
    columns = walk([path]).columns
    return zip(array("Q", columns.column("device")), array("Q", columns.column("inode")), strict=True)


def _inode(path: bytes) -> tuple[int, int] | None:
    try:
        seen = os.lstat(path)
    except OSError:
        return None
    return seen.st_dev, seen.st_ino
