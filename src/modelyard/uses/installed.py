"""Which packages are installed in which Python, as far as the environments of a survey and the system tell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct, field

from modelyard.inventory import Artifact
from modelyard.stores.environment import package_folders
from modelyard.walk.read import names_in
from modelyard.walk.tree import Tree

INFO = re.compile(r"([A-Za-z0-9._-]+?)-([^-]+)(?:-py3[.\d]*)?\.(?:dist|egg)-info")
PYTHON = re.compile(r"/python(3\.\d+)/")
LIBRARIES = ("/usr/lib", "/usr/local/lib")


class Installed(Struct, frozen=True):
    """By package, lower case with dashes, its versions and the Pythons (`3.11`) that have it."""

    versions: dict[str, set[str]] = field(default_factory=dict)
    pythons: dict[str, set[str]] = field(default_factory=dict)


def installed(tree: Tree, artifacts: Sequence[Artifact], system: Iterable[str] = LIBRARIES) -> Installed:
    """Everything whose metadata lie in an environment, in the user's own site-packages, or in the system's."""
    found = Installed()
    for folder, names in (*_of_environments(tree, artifacts), *_of_user(tree), *_of_system(system)):
        python = PYTHON.search(folder + "/")
        for name in names:
            info = INFO.fullmatch(name)
            if info:
                package = re.sub(r"[._-]+", "-", info[1]).lower()
                found.versions.setdefault(package, set()).add(info[2])
                found.pythons.setdefault(package, set()).update([python[1]] if python else [])
    return found


def _of_environments(tree: Tree, artifacts: Sequence[Artifact]) -> Iterator[tuple[str, list[str]]]:
    for each in artifacts:
        if each.kind == "environment":
            for row in each.rows:
                yield from _listed(tree, package_folders(tree, row))


def _of_user(tree: Tree) -> Iterator[tuple[str, list[str]]]:
    local = tree.find(os.path.join(tree.home, b".local")) if tree.home else None
    if local is not None:
        yield from _listed(tree, package_folders(tree, local))


def _listed(tree: Tree, folders: Iterable[int]) -> Iterator[tuple[str, list[str]]]:
    for folder in folders:
        yield os.fsdecode(tree.path(folder)), [os.fsdecode(name) for name in tree.children(folder)]


def _of_system(libraries: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    for library in libraries:
        for name in names_in(library):
            for packages in ("site-packages", "dist-packages"):
                folder = str(Path(library, name, packages))
                if name.startswith("python") and os.path.isdir(folder):
                    yield folder, names_in(folder)
