"""Stores that installed packages add through the entry point group `modelyard.stores`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from modelyard.inventory import Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.adapter import Adapter
from modelyard.walk.tree import Tree

GROUP = "modelyard.stores"
MEMBERS = ("roots", "recognise", "read")
HINT = "update or uninstall the package that adds this store"


class Guarded:
    """An adapter of a stranger: what it raises is a Problem, so that its fault never ends a survey."""

    def __init__(self, module: Adapter) -> None:
        self.STORE = module.STORE
        self._module = module

    def roots(self, env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
        """Its roots up to where it fails."""
        try:
            yield from self._module.roots(env, home, platform)
        except Exception as error:  # noqa: BLE001 - a stranger's code
            yield _broken(self.STORE.name, f"its roots cannot be told: {error!r}")

    def recognise(self, tree: Tree, row: int) -> int | None:
        """What it recognises; nothing where it fails."""
        try:
            return self._module.recognise(tree, row)
        except Exception:  # noqa: BLE001 - a stranger's code
            return None

    def read(self, root: Root, tree: Tree) -> Reading:
        """What it reads, or why that failed."""
        try:
            return self._module.read(root, tree)
        except Exception as error:  # noqa: BLE001 - a stranger's code
            return Reading(problems=(_broken(root.path, f"{self.STORE.name} cannot be read: {error!r}"),))


@cache
def installed(taken: Collection[str]) -> tuple[tuple[Adapter, ...], tuple[Problem, ...]]:
    """The adapters of other packages in the order of their names, but for names already taken; and what failed."""
    adapters: list[Adapter] = []
    problems = []
    for point in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        found = _loaded(point)
        if isinstance(found, Problem):
            problems.append(found)
        elif found.STORE.name in {*taken, *(each.STORE.name for each in adapters)}:
            problems.append(_broken(point.value, f"there is already a store called {found.STORE.name!r}"))
        else:
            adapters.append(found)
    return tuple(adapters), tuple(problems)


def _loaded(point: EntryPoint) -> Adapter | Problem:
    try:
        module = point.load()
    except Exception as error:  # noqa: BLE001 - a stranger's code
        return _broken(point.value, f"the store {point.name!r} cannot be loaded: {error!r}")
    complete = all(callable(getattr(module, name, None)) for name in MEMBERS)
    if not complete or not isinstance(getattr(module, "STORE", None), Store):
        return _broken(point.value, f"the store {point.name!r} has not all members of an adapter")
    return Guarded(module)


def _broken(place: str, message: str) -> Problem:
    return Problem(place, "broken-store", message, HINT)
