"""Lets every adapter read one tree: the roots it names and the roots its markers give away."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Prune, Root, Store
from modelyard.problem import Problem
from modelyard.stores import loose, trash
from modelyard.stores.adapter import Adapter
from modelyard.walk.claims import Claims
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

LINKED = "a link in place of a folder; what it points to was not looked at"


class Found(Struct, frozen=True):
    """What one adapter found in a tree."""

    store: Store
    roots: tuple[Root, ...]
    artifacts: tuple[Artifact, ...]
    problems: tuple[Problem, ...]
    prunes: tuple[Prune, ...]
    seconds: float


class Declared(Struct, frozen=True):
    """Where one adapter says that its tool keeps things, before anything was walked."""

    adapter: Adapter
    roots: tuple[Root, ...]
    problems: tuple[Problem, ...]


def declared(
    adapters: Sequence[Adapter], env: Mapping[str, str], home: Path, platform: Platform, *, system: bool
) -> list[Declared]:
    """The roots that each adapter names, the first way of finding a folder standing for it.

    Without `system` neither the machine's own places nor its settings files count.
    """
    named = []
    for adapter in adapters:
        first: dict[str, Root] = {}
        problems = []
        for place in adapter.roots(env, home, platform):
            if isinstance(place, Problem):
                problems += [place] if system or _told(place, home) else []
            elif system or not place.system:
                first.setdefault(place.path if place.endpoint else os.path.normpath(place.path), place)
        named.append(Declared(adapter, tuple(first.values()), tuple(problems)))
    return named


def read_loose(tree: Tree, claims: Claims, closed: Collection[int]) -> Found:
    """The model files that nobody claimed, outside the closed rows."""
    started = time.perf_counter()
    reading = loose.read(tree, lambda row: bool(claims.owners_of(row)) or _inside(tree, row, closed))
    seconds = time.perf_counter() - started
    return Found(loose.STORE, (), _numbered(reading.artifacts), reading.problems, (), seconds)


def closed_rows(named: Iterable[Declared], tree: Tree) -> set[int]:
    """The folders in which nothing is recognised: modelyard's own trash, and what engines keep for themselves."""
    roots = (root for each in named if each.adapter.STORE.closed for root in each.roots if not root.endpoint)
    rows = {tree.find(os.path.realpath(root.path)) for root in roots} | set(tree.marks().get(trash.MARKER, ()))
    return {row for row in rows if row is not None}


def _open_marks(tree: Tree, closed: Collection[int]) -> Mapping[str, list[int]]:
    marks = tree.marks()
    if not closed:
        return marks
    return {
        marker: [row for row in rows if marker == trash.MARKER or not _inside(tree, row, closed)]
        for marker, rows in marks.items()
    }


def _inside(tree: Tree, row: int, held: Collection[int]) -> bool:
    at = tree.parent(row)
    while at is not None and at not in held:
        at = tree.parent(at)
    return at is not None


def _told(problem: Problem, home: Path) -> bool:
    """Whether a problem says anything about this home rather than the machine."""
    return not os.path.isabs(problem.path) or Path(problem.path).is_relative_to(home)


def read_all(named: Iterable[Declared], tree: Tree, closed: Collection[int] = ()) -> list[Found]:
    """One Found for each adapter; nothing is recognised below the closed rows."""
    marks = _open_marks(tree, closed)
    return [_read(each, marks, tree) for each in named]


def _placed(adapter: Adapter, roots: Iterable[Root], marks: Mapping[str, list[int]], tree: Tree) -> list[Root]:
    """The named roots with their rows, then those recognised elsewhere."""
    placed = [each if each.endpoint else replace(each, row=tree.find(os.path.realpath(each.path))) for each in roots]
    known = {root.row for root in placed}
    for marker in adapter.STORE.markers:
        for hit in marks.get(marker, ()):
            row = adapter.recognise(tree, hit)
            if row is not None and row not in known:
                known.add(row)
                path, found_by = shown(tree.path(row)), f"recognised by {marker}"
                placed.append(Root(path, found_by, row, shared=adapter.STORE.scattered))
    return placed


def _read(named: Declared, marks: Mapping[str, list[int]], tree: Tree) -> Found:
    started = time.perf_counter()
    artifacts: dict[tuple[object, ...], Artifact] = {}
    problems = list(named.problems)
    prunes: list[Prune] = []
    roots: list[Root] = []
    for root in _placed(named.adapter, named.roots, marks, tree):
        if root.remote or (root.row is None and not root.endpoint):
            roots.append(root)
            continue
        reading = named.adapter.read(root, tree)
        roots.append(replace(root, answered=reading.answered))
        problems += [*_linked(root, tree), *reading.problems]
        prunes += reading.prunes
        for artifact in reading.artifacts:
            artifacts.setdefault(artifact.rows or (*artifact.parts, artifact.id), artifact)
    named_once = _numbered(artifacts.values())
    seconds = time.perf_counter() - started
    return Found(named.adapter.STORE, tuple(roots), named_once, tuple(problems), tuple(prunes), seconds)


def _linked(root: Root, tree: Tree) -> Iterator[Problem]:
    """Links to folders in place of a root's own: what lies there is elsewhere and not counted under this root."""
    names = tree.children(root.row) if root.row is not None and not root.shared else {}
    for row in names.values():
        if tree.is_link(row) and os.path.isdir(tree.path(row)) and tree.find(os.path.realpath(tree.path(row))) is None:
            yield Problem(shown(tree.path(row)), "linked-folder", LINKED, "look there too with --root")


def _numbered(artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """The same name under two roots: the second is called `name+2`."""
    named: dict[str, Artifact] = {}
    for artifact in artifacts:
        name, number = artifact.id, 1
        while name in named:
            number += 1
            name = f"{artifact.id}+{number}"
        named[name] = replace(artifact, id=name)
    return tuple(named.values())
