"""Python packages that environments have installed, by the names of their metadata folders alone."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

from modelyard.inventory import Artifact
from modelyard.walk.tree import Tree

METADATA = re.compile(rb"([A-Za-z0-9._]+)-([^-]+)\.(?:dist|egg)-info$")
MARKS = {b"pyvenv.cfg", b"conda-meta"}
VERSIONED = re.compile(rb"python3?\.?\d*t?$")


class Installed(Struct, frozen=True):
    """A package in an environment."""

    name: str
    version: str
    environment: str
    """The path of the environment."""

    @property
    def release(self) -> tuple[int, ...]:
        """The leading numbers of the version, for comparing."""
        leading = re.match(r"\d+(\.\d+)*", self.version)
        return tuple(int(part) for part in leading[0].split(".")) if leading else ()


def environments(artifacts: Iterable[Artifact], tree: Tree) -> list[int]:
    """The rows of the environments' folders, each once; of an installation's base the artifact holds only parts."""
    found: dict[int, None] = {}
    for artifact in artifacts:
        first = artifact.rows[0] if artifact.kind == "environment" and artifact.rows else None
        above = tree.parent(first) if first is not None else None
        for row in (first, above):
            if row is not None and tree.children(row).keys() & MARKS:
                found[row] = None
                break
    return list(found)


def installed(rows: Iterable[int], tree: Tree, wanted: Collection[str]) -> Iterator[Installed]:
    """The wanted packages, under their normalised names, in every environment that has them."""
    for row in rows:
        for site in _sites(tree, row):
            for name in tree.children(site):
                match = METADATA.match(name)
                plain = re.sub(r"[-_.]+", "-", match[1].decode().lower()) if match else ""
                if match and plain in wanted:
                    yield Installed(plain, match[2].decode("utf-8", "replace"), os.fsdecode(tree.path(row)))


def _sites(tree: Tree, row: int) -> Iterator[int]:
    library = tree.child(row, b"lib")
    folders = [each for name, each in tree.children(library).items() if VERSIONED.match(name)] if library else []
    for folder in (*folders, tree.child(row, b"Lib")):
        site = tree.child(folder, b"site-packages")
        if site is not None:
            yield site
