"""Runs pickle streams through CPython's own machines with a find_class that only records; nothing is ever imported.

Started as a program of its own: reads length-prefixed streams from stdin, writes one JSON line for each.
"""

from __future__ import annotations

import io
import json
import pickle
import resource
import sys
import tempfile
from typing import Any

Event = list[Any]
EVENTS: list[Event] = []


class Stub:
    """Stands for whatever a stream names; remembers what is done to it."""

    asked = "?"

    def __new__(cls, *args: object, **named: object) -> Stub:
        EVENTS.append(["call", cls.asked, len(args) + len(named)])
        return object.__new__(_made())

    def __init__(self, *args: object, **named: object) -> None:
        pass

    def __call__(self, *args: object) -> Stub:
        EVENTS.append(["call", "?", len(args)])
        return object.__new__(_made())

    @staticmethod
    def __setstate__(*args: object) -> None:
        EVENTS.append(["build"])

    @staticmethod
    def append(*args: object) -> None:
        EVENTS.append(["fill"])

    extend = add = append

    def __setitem__(self, key: object, value: object) -> None:
        EVENTS.append(["fill"])


def _made() -> type[Stub]:
    return type("Made", (Stub,), {})


def _find(self: object, module: str, name: str) -> type[Stub]:
    EVENTS.append(["name", module, name])
    return type("Named", (Stub,), {"asked": f"{module}\t{name}"})


def _persistent(self: object, about: object) -> Stub:
    EVENTS.append(["persistent"])
    return object.__new__(_made())


def _reached(machine: Any, file: Any) -> dict[str, Any]:
    """What a machine reached, and whether it came to the STOP."""
    EVENTS.clear()
    own = type("Recording", (machine,), {"find_class": _find, "persistent_load": _persistent})
    try:
        own(file).load()
        done = True
    except BaseException:  # noqa: BLE001 - whatever a stream makes it raise
        done = False
    return {"done": done, "events": list(EVENTS)}


def main() -> None:
    """One line for each stream."""
    sys.setrecursionlimit(5000)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    incoming = sys.stdin.buffer
    while head := incoming.read(4):
        data = incoming.read(int.from_bytes(head, "little"))
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            file.seek(0)
            runs = {"file": _reached(pickle.Unpickler, file)}
        runs["memory"] = _reached(pickle.Unpickler, io.BytesIO(data))
        runs["python"] = _reached(pickle._Unpickler, io.BytesIO(data))
        print(json.dumps(runs), flush=True)


if __name__ == "__main__":
    main()
