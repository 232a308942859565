"""Folders filled by `hf download --local-dir`, wherever they are: just the files that were downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "hf-local",
    "Hugging Face --local-dir",
    ("hf download --local-dir",),
    ("*.metadata",),
    scattered=True,
    kinds=("model",),
    recoveries=("re-get",),
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
    """One artifact a folder: the files that have a note, and the notes; what lies beside them is somebody's own."""
    notes = tree.child(root.row, *NOTES)
    if notes is None or root.row is None:
        return Reading()
    files: list[int] = []
    halves: list[int] = []
    commits: set[str] = set()
    for way, row in _notes(tree, notes, ()):
        if way[-1].endswith(b".incomplete"):
            halves.append(row)
        elif way[-1].endswith(b".metadata"):
            file = tree.child(root.row, *way[:-1], way[-1].removesuffix(b".metadata"))
            files += [] if file is None else [file]
            text = tree.read(row, NOTE_CAP)
            commits |= set() if isinstance(text, Problem) else {shown(text.partition(b"\n")[0].strip())}
    folder = tree.label(root.row)
    holder = tree.child(root.row, *NOTES[:2])
    draft = Artifact(f"hf-local:{folder}", "model", "hf-local", folder, root.path, tuple(files), recovery="re-get")
    found = [replace(draft, pins=(holder,) if holder is not None else (), revision=min(commits, default=""))]
    if halves:
        found.append(replace(draft, id=f"{draft.id}#partial", blobs=tuple(halves), state="partial"))
    return Reading(tuple(found))


def _notes(tree: Tree, row: int, way: tuple[bytes, ...]) -> Iterator[tuple[tuple[bytes, ...], int]]:
    for name, inner in sorted(tree.children(row).items()):
        if tree.is_folder(inner):
            yield from _notes(tree, inner, (*way, name))
        else:
            yield (*way, name), inner
