"""Reads the engine at a root once in a survey, whatever sockets lead to it, and the folder or disk image it lies in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Literal
from weakref import WeakKeyDictionary

from msgspec import Struct
from msgspec.structs import replace

from modelyard.inventory import Artifact, Part, Reading, Root, Store
from modelyard.owners.docker import look
from modelyard.owners.engine import Engine
from modelyard.problem import Problem
from modelyard.stores.engine_artifacts import Place, artifacts
from modelyard.stores.engine_cache import cache
from modelyard.stores.engine_layers import layers
from modelyard.stores.engine_places import QUIET
from modelyard.stores.engine_prunes import prunes
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STOPPED = "the engine is not running or does not answer: what is in it cannot be told apart"
BESIDE = "what the engine does not list: its own records, logs, free space of its disk image"


class Answered(Struct, frozen=True):
    """An engine that answered in this survey: its address, where it keeps things, and the bytes that it listed."""

    address: str
    kind: str
    folder: str
    in_machine: bool
    bytes: int


_answered: WeakKeyDictionary[Tree, dict[str, Answered]] = WeakKeyDictionary()
"""By survey, which the tree stands for: a folder must know whether the engine in it was counted already."""


def read_engine(
    store: Store, kind: Literal["docker", "podman"], root: Root, tree: Tree, *, borrowed: bool = False
) -> Reading:
    """What the engine at an endpoint holds; nothing when it is of another kind or was read by another address.

    Of a borrowed address another store tells what is wrong with it.
    """
    engine = look(root.path if root.path.startswith("npipe:") else _address(root.path))
    if isinstance(engine, Problem):
        quiet = borrowed or (engine.code == "unreachable" and root.found_by.startswith(QUIET))
        return Reading(problems=() if quiet else (engine,))
    known = _answered.setdefault(tree, {})
    if engine.kind != kind:
        return Reading(problems=tuple(_misplaced(store, engine, root)), answered=True)
    if known.setdefault(engine.identity, _answer(engine, root, 0)).address != root.path:
        return Reading(answered=True)
    first = not any(each.kind == kind and each.address != root.path for each in known.values())
    place = Place(store.name, shown(root.path), f"{store.name}:" if first else f"{store.name}:{shown(root.path)}/")
    held = cache(engine, layers(engine))
    found = tuple(artifacts(engine, held, place))
    size = sum({part.name: part.size for each in found for part in each.parts}.values())
    known[engine.identity] = _answer(engine, root, size)
    return Reading(found, engine.problems, tuple(prunes(engine, held, place)), answered=True)


def _address(path: str) -> str:
    return f"npipe://{path}" if path.startswith("//") else f"unix://{path}"


def _answer(engine: Engine, root: Root, size: int) -> Answered:
    return Answered(root.path, engine.kind, os.path.realpath(engine.folder), engine.in_machine, size)


def _misplaced(store: Store, engine: Engine, root: Root) -> Iterator[Problem]:
    """Podman behind a socket that is called Docker's: it is read as Podman where its own settings lead to it."""
    if engine.kind == "podman" and "podman" not in os.path.realpath(root.path):
        words = f"Podman answers here, not {store.title}"
        yield Problem(
            shown(root.path), "other-engine", words, f"set CONTAINER_HOST=unix://{shown(root.path)} to see it"
        )


def at_rest(
    store: Store, kind: str, root: Root, tree: Tree, rows: tuple[int, ...], name: str, title: str, *, machine: bool
) -> Artifact | None:
    """A folder or disk images of an engine: all of it when the engine is silent, else what the engine does not list."""
    whole = Artifact(f"{store.name}:{name}", "other", store.name, title, shown(root.path), rows, detail=STOPPED)
    answers = [
        each
        for each in _answered.get(tree, {}).values()
        if each.kind == kind
        and (each.in_machine if machine else not each.in_machine and each.folder == os.path.realpath(root.path))
    ]
    if not answers:
        return whole
    measured = tree.measure(rows).sizes
    rest = max(0, measured.allocated - sum(each.bytes for each in answers))
    part = Part(f"{root.path} beside what its engine lists", rest, measured.exact)
    return replace(whole, blobs=(), detail=BESIDE, parts=(part,)) if rest else None
