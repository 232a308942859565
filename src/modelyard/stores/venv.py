"""Virtual environments anywhere, whoever made them: venv, virtualenv, uv, Poetry, Pipenv, pipx, tox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.places import expand, from_variables
from modelyard.stores.poetry_settings import poetry_places
from modelyard.stores.projects import POETRY, Project, around, noted, of_poetry, poetry_hashes
from modelyard.stores.toml import not_toml, parsed_toml
from modelyard.stores.virtual_environment import CAP, Description, describe, is_environment, of_uv
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "venv",
    "Virtual environments",
    (
        "POETRY_VIRTUALENVS_PATH",
        "POETRY_CACHE_DIR",
        "Poetry's config.toml virtualenvs.path",
        "WORKON_HOME",
        "XDG_DATA_HOME",
    ),
    ("pyvenv.cfg",),
    watched=("pyproject.toml",),
    scattered=True,
    kinds=("environment",),
    recoveries=("re-solve",),
)


class Active(msgspec.Struct):
    """What Poetry notes of the environments of one project: which one it uses."""

    minor: str = ""


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """Where Poetry and Pipenv collect environments; all others are recognised where they lie."""
    yield poetry_places(env, home, platform).environments
    data = expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home)
    pipenv = str(home / ".virtualenvs") if platform == "windows" else f"{data}/virtualenvs"
    yield from_variables(("WORKON_HOME",), env, home) or Root(pipenv, "default")


def recognise(tree: Tree, row: int) -> int | None:
    """The folder that holds the environment, or the environment when the walk began there. uv's own are uv's."""
    environment = tree.parent(row)
    if environment is None or of_uv(tree, environment):
        return None
    above = tree.parent(environment)
    return environment if above is None else above


def read(root: Root, tree: Tree) -> Reading:
    """One artifact an environment: its Python, its project, its packages, and whether they are all there."""
    assert root.row is not None
    names = sorted(tree.children(root.row).items())
    rows = [row for _, row in names if is_environment(tree, row) and not of_uv(tree, row)]
    rows += [root.row] if tree.parent(root.row) is None and is_environment(tree, root.row) else []
    hashes = poetry_hashes(tree) if any(POETRY.match(tree.name(row)) for row in rows) else {}
    active = _active(tree, root.row)
    described = [(row, _described(tree, row, hashes)) for row in rows]
    problems = [problem for _, each in described for problem in each.problems]
    return Reading(
        tuple(_artifact(root, tree, row, each, active) for row, each in described),
        (*problems, *([active] if isinstance(active, Problem) else [])),
    )


def _described(tree: Tree, row: int, hashes: Mapping[bytes, int]) -> Description:
    project: Project | Problem | None = noted(tree, row)
    return describe(tree, row, project or of_poetry(tree, row, hashes) or around(tree, row))


def _active(tree: Tree, folder: int) -> Mapping[str, Active] | Problem:
    """Which Python's environment Poetry uses for each project, by its own note beside them."""
    note = tree.child(folder, b"envs.toml")
    text = tree.read(note, CAP) if note is not None else b""
    if isinstance(text, Problem):
        return text
    found = parsed_toml(text, dict[str, Active])
    return not_toml(shown(tree.path(folder)) + "/envs.toml", found) if isinstance(found, ValueError) else found


def _artifact(root: Root, tree: Tree, row: int, about: Description, active: Mapping[str, Active] | Problem) -> Artifact:
    facts = about.facts
    found = POETRY.match(tree.name(row))
    used = active.get(shown(found[1])) if found and not isinstance(active, Problem) else None
    if found and used:
        minor = shown(found[3])
        words = "the one it uses" if used.minor == minor else f"not in use: {used.minor} is"
        facts += (("Poetry", words),)
    name = tree.label(row)
    return Artifact(
        f"venv:{name}",
        "environment",
        STORE.name,
        name,
        root.path,
        about.rows,
        state=about.state,
        recovery="re-solve",
        detail=about.detail,
        facts=facts,
    )
