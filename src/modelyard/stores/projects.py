"""Which project an environment belongs to, and whether that is still there."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping

from msgspec import Struct

from modelyard.problem import Problem
from modelyard.stores.environment import absence
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

CAP = 65536
PROJECT_FILES = (
    b".git", b"Pipfile", b"environment.yml", b"manage.py", b"mojoproject.toml", b"noxfile.py", b"pixi.toml",
    b"poetry.lock", b"pyproject.toml", b"requirements.txt", b"setup.cfg", b"setup.py", b"tox.ini", b"uv.lock",
)  # fmt: skip
COLLECTORS = (b".nox", b".tox")
REMOVABLE = (b"/Volumes/", b"/media/", b"/mnt/", b"/run/media/")
ABSOLUTE = re.compile(rb"/|[A-Za-z]:[\\/]")
POETRY = re.compile(rb"(.+-([A-Za-z0-9_-]{8}))-py(\d+\.\d+)$")


class Project(Struct, frozen=True):
    """A project's folder. `there` is None where that cannot be told, as for a disk that may be unplugged."""

    path: bytes
    there: bool | None
    evidence: str

    @property
    def gone(self) -> str:
        """What to add to its path where it is not there."""
        if self.there is False:
            return ", which is gone"
        return "" if self.there else ", which is not to be seen now: its disk may be unplugged"

    def fact(self) -> tuple[str, str]:
        """For a person: where, whether it is there, and how that is known."""
        return "Project", f"{shown(self.path)}{self.gone} ({self.evidence})"


def at(path: bytes, evidence: str) -> Project:
    """The project at a path that some tool noted."""
    missing = absence(path, folder=True) if os.path.isabs(path) else None
    away = bool(missing) and path.startswith(REMOVABLE)
    return Project(path, None if missing is None or away else not missing, evidence)


def noted(tree: Tree, row: int) -> Project | Problem | None:
    """By the note that Pipenv and virtualenvwrapper leave: one absolute path, which may hold any character."""
    note = tree.child(row, b".project")
    if note is None:
        return None
    text = tree.read(note, CAP)
    if isinstance(text, Problem):
        return text
    path = text if b"\0" not in text and os.path.lexists(text) else text.strip()
    if not ABSOLUTE.match(path) or b"\0" in path or (b"\n" in path and not os.path.lexists(path)):
        words = "one absolute path was expected here, the project of the environment"
        return Problem(shown(tree.path(note)), "strange-note", words)
    return at(path, "noted in .project")


def around(tree: Tree, row: int) -> Project | None:
    """By what lies beside the environment: a `.venv` in a project, or what tox and nox collect in one."""
    folder = tree.parent(row)
    if folder is not None and tree.name(folder) in COLLECTORS:
        folder = tree.parent(folder)
    names = tree.children(folder) if folder is not None else {}
    if folder is None or not any(name in names for name in PROJECT_FILES):
        return None
    return Project(tree.path(folder), True, "it lies there")


def poetry_hashes(tree: Tree) -> Mapping[bytes, int]:
    """Folders that may be Poetry projects, by what Poetry makes of their path in the names of environments."""
    found = {}
    for mark in tree.marks().get("pyproject.toml", ()):
        folder = tree.parent(mark)
        if folder is not None:
            digest = hashlib.sha256(tree.path(folder)).digest()
            found[base64.urlsafe_b64encode(digest)[:8]] = folder
    return found


def of_poetry(tree: Tree, row: int, hashes: Mapping[bytes, int]) -> Project | None:
    """By its name, which holds a hash of the project's path that leads nowhere by itself."""
    found = POETRY.match(tree.name(row))
    folder = hashes.get(found[2]) if found else None
    return None if folder is None else Project(tree.path(folder), True, "its path has the hash in the name")
