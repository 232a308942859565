"""Pins: ids that the user wants in no plan, remembered in modelyard's folder of data."""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from modelyard.apply import notes
from modelyard.apply.disk import Disk
from modelyard.apply.rooms import Rooms
from modelyard.problem import Problem

FILE = b"pins.json"


class Pins(msgspec.Struct):
    """The file."""

    pins: list[str]


def read(rooms: Rooms) -> frozenset[str] | Problem:
    """The ids, none where nothing was pinned. A Problem where the file is there and cannot be understood."""
    path = os.path.join(rooms.data, FILE)
    text = notes.read(path)
    if isinstance(text, Problem):
        return text
    try:
        return frozenset(msgspec.json.decode(text, type=Pins).pins) if text else frozenset()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        hint = "pin again what shall stay, after moving the file away"
        return Problem(os.fsdecode(path), "unreadable-pins", f"pins that are not understood: {error}", hint)


def write(rooms: Rooms, ids: Iterable[str]) -> None:
    """Remembers these and no others; the rooms have to be open. OSError leaves the earlier ones."""
    content = msgspec.json.encode(Pins(sorted(ids)))
    notes.write(Disk(), os.path.join(rooms.data, FILE), content + b"\n")
