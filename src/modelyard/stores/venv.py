"""Virtual environments anywhere, whoever made them: venv, virtualenv, uv, Poetry, Pipenv."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.places import expand, from_variables, user_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "venv",
    "Virtual environments",
    ("POETRY_VIRTUALENVS_PATH", "POETRY_CACHE_DIR", "WORKON_HOME", "XDG_DATA_HOME"),
    ("pyvenv.cfg",),
    scattered=True,
    kinds=("environment",),
    recoveries=("re-solve",),
)
MARK = b"pyvenv.cfg"
CAP = 65536


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """Where Poetry and Pipenv collect environments; all others are recognised where they lie."""
    cache, found_by = user_cache(env, home, platform)
    poetry = from_variables(("POETRY_CACHE_DIR",), env, home)
    base = Path(poetry.path) if poetry else cache / "pypoetry" / ("Cache" if platform == "windows" else "")
    default = Root(str(base / "virtualenvs"), poetry.found_by if poetry else found_by)
    yield from_variables(("POETRY_VIRTUALENVS_PATH",), env, home) or default
    data = expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home)
    pipenv = str(home / ".virtualenvs") if platform == "windows" else f"{data}/virtualenvs"
    yield from_variables(("WORKON_HOME",), env, home) or Root(pipenv, "default")


def recognise(tree: Tree, row: int) -> int | None:
    """The folder that holds the environment."""
    environment = tree.parent(row)
    return tree.parent(environment) if environment is not None else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact an environment, with what its settings tell and whether its Python is still there."""
    assert root.row is not None
    found = [row for _, row in sorted(tree.children(root.row).items()) if tree.child(row, MARK) is not None]
    return Reading(tuple(_environment(root, tree, row) for row in found))


def _environment(root: Root, tree: Tree, row: int) -> Artifact:
    facts = _settings(tree, row)
    maker = next((tool for tool in ("uv", "virtualenv") if tool in facts), "venv")
    words = [f"Python {facts.get('version') or facts.get('version_info') or '?'} by {maker}"]
    words += ["its Python is gone"] if _python_gone(tree, row) else []
    words += _project(tree, row)
    name = tree.label(row)
    return Artifact(
        f"venv:{name}", "environment", "venv", name, root.path, (row,), recovery="re-solve", detail=", ".join(words)
    )


def _settings(tree: Tree, row: int) -> dict[str, str]:
    text = tree.read(tree.children(row)[MARK], CAP)
    lines = [] if isinstance(text, Problem) else text.splitlines()
    pairs = (shown(line).partition("=") for line in lines if b"=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _python_gone(tree: Tree, row: int) -> bool:
    """Whether `bin/python` leads to something that is no longer there."""
    link = tree.child(row, b"bin", b"python")
    while link is not None and tree.is_link(link):
        target = tree.link_target(link)
        if isinstance(target, Problem):
            return True
        link = tree.find(target)
        if link is None:
            return not os.path.lexists(target)
    return link is None and tree.child(row, b"bin") is not None


def _project(tree: Tree, row: int) -> list[str]:
    """Pipenv notes the project an environment belongs to."""
    note = tree.child(row, b".project")
    text = tree.read(note, CAP) if note is not None else b""
    if isinstance(text, Problem) or not text.strip() or b"\0" in text:
        return []
    place = text.strip()
    return [f"of {shown(place)}"] if os.path.lexists(place) else [f"of {shown(place)}, which is gone"]
