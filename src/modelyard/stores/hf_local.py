"""Folders filled by `hf download --local-dir`, wherever they are: just the files that were downloaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.units import SECOND
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "hf-local",
    "Hugging Face --local-dir",
    ("hf download --local-dir",),
    ("*.metadata",),
    scattered=True,
    kinds=("model",),
    recoveries=("re-get", "none"),
)
NOTES = (b".cache", b"huggingface", b"download")
NOTE_CAP = 4096


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: the folder is named with every download."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder above `.cache/huggingface/download` that a note of a file lies in."""
    at = tree.parent(row)
    while at is not None:
        up = tree.parent(at)
        above = tree.parent(up) if up is not None else None
        if tree.name(at) == b"download" and up is not None and tree.name(up) == b"huggingface" and above is not None:
            return tree.parent(above) if tree.name(above) == b".cache" else None
        at = up
    return None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a folder: the files that have a note, and the notes; what lies beside them is somebody's own.

    A file that was written after its note is no longer what was downloaded.
    """
    notes = tree.child(root.row, *NOTES)
    if notes is None or root.row is None:
        return Reading()
    files: list[int] = []
    halves: list[int] = []
    commits: set[str] = set()
    changed = gone = 0
    for way, row in _notes(tree, notes, ()):
        if way[-1].endswith(b".incomplete"):
            halves.append(row)
        elif way[-1].endswith(b".metadata"):
            file = tree.child(root.row, *way[:-1], way[-1].removesuffix(b".metadata"))
            files += [] if file is None else [file]
            text = tree.read(row, NOTE_CAP)
            lines = [] if isinstance(text, Problem) else [shown(line.strip()) for line in text.splitlines()]
            commits |= set(lines[:1])
            gone += file is None
            changed += file is not None and _is_newer(tree, file, lines[2:])
    folder = tree.label(root.row)
    holder = tree.child(root.row, *NOTES[:2])
    words = [f"{changed} files changed since they were downloaded"] if changed else []
    words += [f"{gone} files are no longer here"] if gone else []
    draft = Artifact(f"hf-local:{folder}", "model", "hf-local", folder, root.path, tuple(files), recovery="re-get")
    whole = replace(draft, pins=(holder,) if holder is not None else (), revision=min(commits, default=""))
    found = [replace(whole, recovery="none" if changed else "re-get", detail=", ".join(words))]
    if halves:
        found.append(replace(draft, id=f"{draft.id}#partial", blobs=tuple(halves), state="partial"))
    return Reading(tuple(found))


def _is_newer(tree: Tree, file: int, noted: list[str]) -> bool:
    """Whether a file was written after the time in its note; the client itself allows a second."""
    seen = tree.entry(file)
    if seen is None or not noted or not re.fullmatch(r"\d{1,12}(?:\.\d+)?", noted[0]):
        return False
    return seen.mtime / SECOND > float(noted[0]) + 1


def _notes(tree: Tree, row: int, way: tuple[bytes, ...]) -> Iterator[tuple[tuple[bytes, ...], int]]:
    for name, inner in sorted(tree.children(row).items()):
        if tree.is_folder(inner):
            yield from _notes(tree, inner, (*way, name))
        else:
            yield (*way, name), inner
