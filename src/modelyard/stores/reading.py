"""Lets every adapter read one tree: the roots it names and the roots its markers give away."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Root
from modelyard.problem import Problem
from modelyard.stores.adapter import Adapter
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

LINKED = "a link in place of a folder; what it points to is not counted here"


@dataclass(frozen=True, slots=True)
class Found:
    """What one adapter found in a tree."""

    adapter: Adapter
    roots: tuple[Root, ...]
    artifacts: tuple[Artifact, ...]
    problems: tuple[Problem, ...]


def declared(
    adapters: Sequence[Adapter], env: Mapping[str, str], home: Path, platform: Platform, *, system: bool
) -> list[tuple[Adapter, list[Root]]]:
    """The roots that each adapter names, the first way of finding a folder standing for it."""
    named = []
    for adapter in adapters:
        first: dict[str, Root] = {}
        for root in adapter.roots(env, home, platform):
            if system or not root.system:
                first.setdefault(os.path.normpath(root.path), root)
        named.append((adapter, list(first.values())))
    return named


def read_all(named: Iterable[tuple[Adapter, list[Root]]], tree: Tree) -> list[Found]:
    """One Found for each adapter."""
    marks = tree.marks()
    return [_read(adapter, _placed(adapter, roots, marks, tree), tree) for adapter, roots in named]


def _placed(adapter: Adapter, roots: list[Root], marks: Mapping[str, list[int]], tree: Tree) -> list[Root]:
    """The named roots with their rows, then those recognised elsewhere."""
    placed = [replace(root, row=tree.find(os.path.realpath(root.path))) for root in roots]
    known = {root.row for root in placed}
    for marker in adapter.STORE.markers:
        for hit in marks.get(marker, ()):
            row = adapter.recognise(tree, hit)
            if row is not None and row not in known:
                known.add(row)
                path, found_by = shown(tree.path(row)), f"recognised by {marker}"
                placed.append(Root(path, found_by, row, shared=adapter.STORE.scattered))
    return placed


def _read(adapter: Adapter, roots: list[Root], tree: Tree) -> Found:
    artifacts: dict[tuple[int, ...], Artifact] = {}
    problems: list[Problem] = []
    for root in roots:
        if root.row is None:
            continue
        reading = adapter.read(root, tree)
        problems += [*_linked(root, tree), *reading.problems]
        for artifact in reading.artifacts:
            artifacts.setdefault(artifact.rows, artifact)
    return Found(adapter, tuple(roots), _numbered(artifacts.values()), tuple(problems))


def _linked(root: Root, tree: Tree) -> Iterator[Problem]:
    """Links to folders in place of a root's own: what lies there is elsewhere and not counted under this root."""
    names = tree.children(root.row) if root.row is not None and not root.shared else {}
    for row in names.values():
        if tree.is_link(row) and os.path.isdir(tree.path(row)):
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
