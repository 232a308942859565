"""Locks that nobody holds and that block their tools, downloads and copies that nobody finishes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination
from modelyard.doctor.shell import remove_files
from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.units import SECOND, SPANS, ago, size

DAY = SPANS["d"] * SECOND
WEEK = SPANS["w"] * SECOND
BAKED = "torch waits for it without end when it needs this extension"
WAITS = "TF Hub waits ten minutes for it before it loads this module"
SOFT = "huggingface_hub waits for it without end"


def locks(examination: Examination) -> Iterator[Complaint]:
    """Locks whose existence locks; those of the system's own kind lock nothing when they are left behind."""
    for store, find, after in KINDS:
        for spot in examination.of_store(store):
            for row in sorted(find(examination, spot.row), key=examination.path):
                seen = examination.tree.entry(row)
                if seen is None or examination.now - seen.mtime < DAY or _alive(examination, row):
                    continue
                path = examination.path(row)
                yield Complaint(
                    "stale-lock",
                    "fault",
                    examination.label(path),
                    f"the lock {examination.label(path)} is {ago(seen.mtime, examination.now)} old",
                    after,
                    remove_files([path], examination.platform),
                    "removes this lock alone; first be sure that no program still works at it",
                )


def _baked(examination: Examination, root: int) -> Iterator[int]:
    """`lock` in the folder of an extension, with or without one for the Python and CUDA version above it."""
    tree = examination.tree
    for folder in tree.children(root).values():
        for row in (folder, *tree.children(folder).values()):
            lock = tree.child(row, b"lock")
            if lock is not None and tree.is_file(lock):
                yield lock


def _modules(examination: Examination, root: int) -> Iterator[int]:
    """A lock beside a module that is there is never looked at."""
    names = examination.tree.children(root)
    for name, row in names.items():
        module = names.get(name.removesuffix(b".lock"))
        if name.endswith(b".lock") and (module is None or not examination.tree.children(module)):
            yield row


def _soft(examination: Examination, root: int) -> Iterator[int]:
    """Locks of file systems that have none of their own: they name their holder, the others are empty."""
    tree = examination.tree
    above = tree.child(root, b".locks")
    for folder in tree.children(above).values() if above is not None else ():
        for name, row in tree.children(folder).items():
            seen = tree.entry(row)
            if name.endswith(b".lock.soft") or (name.endswith(b".lock") and seen is not None and 0 < seen.size < 1024):
                yield row


KINDS: tuple[tuple[str, Callable[[Examination, int], Iterator[int]], str], ...] = (
    ("torch-extensions", _baked, BAKED),
    ("tfhub", _modules, WAITS),
    ("hf", _soft, SOFT),
)


def _alive(examination: Examination, row: int) -> bool:
    """Whether a lock names a process that runs on this machine."""
    text = examination.tree.read(row, 1024)
    lines = [] if isinstance(text, Problem) else text.split()
    if len(lines) < 2 or not lines[0].isdigit() or len(lines[0]) > 9 or lines[1] != socket.gethostname().encode():
        return False
    import psutil  # late: few homes hold such a lock

    return psutil.pid_exists(int(lines[0]))


def halves(examination: Examination) -> Iterator[Complaint]:
    """Unfinished downloads that were not touched for a week."""
    groups: dict[str, list[Artifact]] = {}
    for artifact in examination.inventory.artifacts:
        old = artifact.written is not None and examination.now - artifact.written > WEEK
        if old and artifact.state == "partial" and artifact.recovery == "re-get":
            groups.setdefault(artifact.store, []).append(artifact)
    for store, found in groups.items():
        held = sum(each.sizes.freed for each in found)
        count = f"{len(found):,} unfinished downloads" if len(found) > 1 else "an unfinished download"
        title = next(each.store.title for each in examination.inventory.holdings if each.store.name == store)
        yield Complaint(
            "old-partials",
            "note",
            examination.label(found[0].root),
            f"{count} of {title}: {size(held)}, not touched for a week",
            "hardly a tool goes on with such; they take space for nothing",
            examination.modelyard("ls", "--store", store, "--state", "partial", "--older", "7d"),
            "shows them; it removes nothing",
        )


def copies(examination: Examination) -> Iterator[Complaint]:
    """Copies of moves that stopped half-way, which lie in a folder beside their place."""
    for each in examination.copies:
        yield Complaint(
            "unfinished-move",
            "fault",
            examination.label(each.folder),
            f"a move of {each.name} stopped half-way: {size(each.bytes)} lie in {examination.label(each.folder)}",
            "the source is whole, and the copy takes its space for nothing until the move is finished",
            examination.modelyard("move", each.name, each.target),
            "goes on where it stopped; to give it up, remove that folder",
        )
