"""Processes that have files of the tree open or mapped, run a program of it, or stand in an environment of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import psutil
from msgspec import Struct

from modelyard.inventory import Use
from modelyard.problem import Problem
from modelyard.uses.locks import guarded
from modelyard.walk.claims import Claims
from modelyard.walk.read import read_file
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

MAPS_CAP = 16 << 20
MAPPED = re.compile(rb"(?m)^\S+ \S+ \S+ \S+ (?!0 )\d+ +(/[^\n]*?)(?: \(deleted\))?$")
ACTIVE = ("VIRTUAL_ENV", "CONDA_PREFIX")
COMMAND = 80
LOCKS = "holds its lock"


class Held(Struct, frozen=True):
    """A row of the tree that a process holds, and how."""

    row: int
    who: str
    evidence: str
    below: bool = False
    """Whether all that is in it is held too."""


class Grip(Struct, frozen=True):
    """A path that a process holds, and how."""

    path: bytes
    who: str
    evidence: str


def grips() -> tuple[list[Grip], int]:
    """What the other processes of this machine hold, and of how many nothing could be told."""
    found: list[Grip] = []
    untold = 0
    for process in psutil.process_iter(["pid", "name", "cmdline"]):
        if process.pid == os.getpid():
            continue
        try:
            places = dict(_places(process))
        except psutil.NoSuchProcess:  # gone since, or a thread of the kernel
            continue
        except (psutil.Error, OSError):
            untold += 1
            continue
        found += [Grip(path, _who(process), evidence) for path, evidence in places.items()]
    return found, untold


def held(tree: Tree) -> tuple[list[Held], int]:
    """What processes hold of the tree, and of how many processes nothing could be told."""
    starts = tuple(os.fsencode(start).rstrip(b"/") + b"/" for start in tree.starts)
    found, untold = grips()
    near = [each for each in found if each.path.startswith(starts)]
    rows = ((tree.find(each.path), each) for each in near)
    locked = ((tree.find(place), each) for each in near if (place := guarded(each.path)))
    return [
        *(Held(row, each.who, each.evidence) for row, each in rows if row is not None),
        *(Held(row, each.who, f"{LOCKS} {shown(each.path)}", True) for row, each in locked if row is not None),
    ], untold


def users(number: int, found: list[Held], tree: Tree, claims: Claims) -> Iterator[Use]:
    """The processes that hold a file of one artifact by any of its names; each process once."""
    told: dict[str, Use] = {}
    for each in found:
        if _holds(number, each, tree, claims):
            told.setdefault(each.who, Use("process", each.who, each.evidence, "high"))
    return iter(told.values())


def _holds(number: int, held: Held, tree: Tree, claims: Claims) -> bool:
    """Whether what is held is of the artifact, or the artifact lies in a folder that is held with all that is in it."""
    names = [held.row] if tree.is_folder(held.row) else tree.columns.names(held.row)
    if any(number in claims.owners_of(row) for row in names):
        return True
    start = tree.path(held.row) + b"/"
    return held.below and any(tree.path(row).startswith(start) for row in claims.rows({number}))


def _places(process: psutil.Process) -> Iterator[tuple[bytes, str]]:
    """Paths that a process holds, the strongest evidence last."""
    environment = process.environ()
    for variable in ACTIVE:
        if environment.get(variable):
            yield os.fsencode(environment[variable].rstrip("/")), f"runs with {variable} set to it"
    if program := process.exe():
        yield os.fsencode(program), "runs a program of it"
    yield from ((path, "has a file of it mapped") for path in _mapped(process.pid))
    yield from ((os.fsencode(each.path), "has a file of it open") for each in process.open_files())


def _mapped(pid: int) -> set[bytes]:
    """Files in the memory of a process, as Linux tells them; empty on other systems."""
    if not psutil.LINUX:
        return set()
    text = read_file(b"/proc/%d/maps" % pid, MAPS_CAP)
    return set() if isinstance(text, Problem) else set(MAPPED.findall(text))


def _who(process: psutil.Process) -> str:
    words = " ".join(process.info["cmdline"] or [process.info["name"] or "?"])
    return f"{shown(os.fsencode(words))[:COMMAND]} (process {process.pid})"
