"""Numba's compiled functions: in one folder where a variable names it, else beside the sources they came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, State, Store
from modelyard.stores.folders import whole
from modelyard.stores.places import expand, from_variables, user_cache
from modelyard.stores.surroundings import grounds
from modelyard.walk.tree import Tree

STORE = Store(
    "numba",
    "Numba",
    ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"),
    ("*.nbi",),
    scattered=True,
    kinds=("compile cache",),
    recoveries=("re-make",),
)
BESIDE = b"__pycache__"
COMPILED = re.compile(rb"(?P<module>[^.]+)\..*\.nb[ic](?:\.tmp\.[0-9a-f-]+)?$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The variable; the user's cache, for sources whose folder cannot be written; and what notebooks compile."""
    cache, found_by = user_cache(env, home, platform)
    own = cache / "numba" / "Cache" if platform == "windows" else cache / "numba"
    yield from filter(None, [from_variables(("NUMBA_CACHE_DIR",), env, home)])
    yield Root(str(own), found_by)
    notebooks = home / ".ipython"
    if platform == "linux":
        notebooks = Path(expand(env.get("XDG_CACHE_HOME") or "~/.cache", env, home)) / "ipython"
    yield Root(str(notebooks / "numba_cache"), "default of IPython")


def recognise(tree: Tree, row: int) -> int | None:
    """Python's own cache folder beside sources; in an environment it goes with the environment."""
    folder = tree.parent(row)
    if folder is None or tree.name(folder) != BESIDE:
        return None
    return folder if not grounds(tree, folder) & {"environment", "hub", "run"} else None


def read(root: Root, tree: Tree) -> Reading:
    """A cache folder as one artifact; beside sources only what Numba wrote, apart where the source is gone."""
    assert root.row is not None
    if tree.name(root.row) != BESIDE:
        return Reading((whole(STORE, root, tree.label(root.row), "compiled functions", "compile cache", "re-make"),))
    return Reading(tuple(_beside(root, tree, root.row)))


def _beside(root: Root, tree: Tree, row: int) -> Iterator[Artifact]:
    above = tree.parent(row)
    sources = tree.children(above) if above is not None else {}
    living: list[int] = []
    left: list[int] = []
    for name, each in sorted(tree.children(row).items()):
        if found := COMPILED.match(name):
            (living if found["module"] + b".py" in sources else left).append(each)
    place = tree.label(above) if above is not None else root.path
    states: tuple[tuple[State, list[int]], ...] = (("complete", living), ("orphan", left))
    for state, rows in states:
        if rows:
            yield Artifact(
                f"numba:{place}" + ("#orphan" if state == "orphan" else ""),
                "compile cache",
                "numba",
                f"compiled functions of {place}",
                root.path,
                tuple(rows),
                state=state,
                recovery="re-make",
                detail="their sources are gone" if state == "orphan" else "",
            )
