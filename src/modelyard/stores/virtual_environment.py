"""One virtual environment: what its settings say, which rows are its own, whether it still runs; never started."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from msgspec import Struct

from modelyard.inventory import State
from modelyard.problem import Problem
from modelyard.stores.environment import Facts, absence, packages
from modelyard.stores.projects import Project
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

MARK = b"pyvenv.cfg"
CAP = 65536
RECEIPT = b"uv-receipt.toml"
BUCKET = re.compile(rb"([a-z-]+)-v(\d+)$")
MADE = frozenset(
    (
        MARK, RECEIPT, b".DS_Store", b".Python", b".gitignore", b".lock", b".project", b".tox-config1",
        b".tox-info.json", b"CACHEDIR.TAG", b"Include", b"Lib", b"Scripts", b"__pycache__", b"bin", b"doc", b"etc",
        b"include", b"lib", b"lib-python", b"lib64", b"lib_pypy", b"man", b"pip-selfcheck.json",
        b"pipx_metadata.json", b"share", b"site-packages",
    )
)  # fmt: skip
SURELY = re.compile(rb"(?i)activate|deactivate|pip\d*(\.\d+)?(\.exe)?$|python\d*(\.\d+)?w?(\.exe)?$")


class Description(Struct, frozen=True):
    """What is known of an environment, to be made an artifact by its store."""

    rows: tuple[int, ...]
    detail: str
    state: State
    facts: Facts
    problems: tuple[Problem, ...]


def is_environment(tree: Tree, row: int) -> bool:
    """Whether a folder is one."""
    return tree.child(row, MARK) is not None


def of_uv(tree: Tree, row: int) -> bool:
    """Whether an environment is uv's own: of a tool, or inside uv's cache at any depth that uv uses."""
    if tree.child(row, RECEIPT) is not None:
        return True
    at: int | None = row
    for _ in range(4):
        at = tree.parent(at) if at is not None else None
        if at is None:
            return False
        if BUCKET.match(tree.name(at)) and tree.child(tree.parent(at), b"CACHEDIR.TAG") is not None:
            return True
    return False


def settings(tree: Tree, row: int) -> dict[str, bytes] | Problem:
    """What `pyvenv.cfg` says, values as bytes because paths are."""
    text = tree.read(tree.children(row)[MARK], CAP)
    if isinstance(text, Problem):
        return text
    pairs = (line.partition(b"=") for line in text.splitlines() if b"=" in line)
    return {shown(key.strip()).lower(): value.strip() for key, _, value in pairs}


def describe(tree: Tree, row: int, project: Project | Problem | None, maker: str = "") -> Description:
    """Everything about one environment but its name. `maker` is the tool that its place tells."""
    found = settings(tree, row)
    known = {} if isinstance(found, Problem) else found
    owner = maker or next((tool for tool in ("uv", "virtualenv") if tool in known), "venv")
    version = shown(known.get("version") or known.get("version_info") or b"?")
    runs, why = _runs(tree, row, known.get("home", b""))
    rows = own_rows(tree, row)
    belongs = project if isinstance(project, Project) else _inside(tree, row)
    words = [f"Python {version} by {owner}", *(["its Python is gone"] if runs is False else [])]
    words += [f"of {shown(belongs.path)}{belongs.gone}"] if belongs and belongs.path != tree.path(row) else []
    place = known.get("base-executable") or known.get("home", b"")
    facts = [("Interpreter", f"Python {version}" + (f", {shown(place)}" if place else "")), ("Runs", why)]
    facts += [belongs.fact()] if belongs else []
    facts += packages(tree, row).facts()
    state: State = "dangling" if runs is False else "orphan" if belongs and belongs.there is False else "complete"
    problems = tuple(each for each in (found, project) if isinstance(each, Problem))
    return Description(rows, ", ".join(words), state, tuple(facts), problems)


def _runs(tree: Tree, row: int, home: bytes) -> tuple[bool | None, str]:
    """Whether its Python leads to something, and the folder of the Python that it was made from is there."""
    scripts = tree.child(row, b"bin") or tree.child(row, b"Scripts")
    names = tree.children(scripts) if scripts is not None else {}
    python = next((names[name] for name in (b"python", b"python.exe", b"python3") if name in names), None)
    if python is None:
        return False, "no: there is no Python in it"
    missing = absence(tree.path(python))
    if missing == "" and home:
        if not os.path.isabs(home):
            return None, f"cannot be told here: it needs {shown(home)}"
        missing = absence(home, folder=True)
    if missing is None:
        return None, "cannot be told: its Python is out of reach"
    return (False, f"no: {missing}") if missing else (True, "its Python is there; it was not started")


def own_rows(tree: Tree, row: int) -> tuple[int, ...]:
    """The whole folder, or only what is surely the environment's where it was made inside something else.

    Checkouts that pip and Poetry keep in `src` may hold somebody's work and are never part of it.
    """
    names = tree.children(row)
    foreign = _foreign(tree, names)
    if not foreign:
        return (row,)
    if foreign == {b"src"}:
        return tuple(each for name, each in sorted(names.items()) if name != b"src")
    rows = [names[MARK], *(names[name] for name in (b"lib64",) if name in names and tree.is_link(names[name]))]
    for library in (b"lib", b"lib64"):
        inside = tree.children(names[library]) if library in names else {}
        rows += [each for name, each in sorted(inside.items()) if name.startswith((b"python", b"pypy"))]
    rows += [each for each in (tree.child(row, b"Lib", b"site-packages"),) if each is not None]
    for scripts in (b"bin", b"Scripts"):
        inside = tree.children(names[scripts]) if scripts in names else {}
        rows += [each for name, each in sorted(inside.items()) if SURELY.match(name)]
    return tuple(rows)


def _foreign(tree: Tree, names: Mapping[bytes, int]) -> set[bytes]:
    """What no maker of environments puts there; an empty `src` is Pipenv's."""
    return {name for name, each in names.items() if name not in MADE and (name != b"src" or tree.children(each))}


def _inside(tree: Tree, row: int) -> Project | None:
    """The folder itself, when it holds more than the environment."""
    if _foreign(tree, tree.children(row)) <= {b"src"}:
        return None
    return Project(tree.path(row), True, "it was made inside it")
