"""conda: packages by `info/paths.json`, archives by `repodata_record.json`, environments by `conda-meta`.

Fields as conda and rattler write them: conda/models/records.py, `paths_data`; the digest in an environment is
`sha256_in_prefix` where the prefix was written into a file.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.stores.expects import records
from modelyard.stores.expects.expectation import Expectation, at
from modelyard.stores.json import parsed
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

CAP = 256 << 20
ARCHIVES = (b".conda", b".tar.bz2")
PATCHED = "the prefix was written into it, and its package does not tell the digest of that"
UNLISTED = "its package tells no digest of it"


class File(msgspec.Struct):
    """One path of a package."""

    path: str = msgspec.field(default="", name="_path")
    kind: str = msgspec.field(default="", name="path_type")
    sha256: str | None = None
    in_prefix: str | None = msgspec.field(default=None, name="sha256_in_prefix")
    size: int | None = msgspec.field(default=None, name="size_in_bytes")
    placeholder: str | None = msgspec.field(default=None, name="prefix_placeholder")


class Paths(msgspec.Struct):
    """`info/paths.json`, and `paths_data` of an installed package."""

    paths: list[File] = []


class Installed(msgspec.Struct):
    """`conda-meta/NAME.json`."""

    paths_data: Paths | None = None


class Archive(msgspec.Struct):
    """`info/repodata_record.json`."""

    fn: str = ""
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None


def expects(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """The files of an environment, or of a package and its archive."""
    if artifact.kind == "environment":
        yield from _environment(tree, artifact)
        return
    for row in artifact.blobs:
        if tree.child(row, b"info") is not None:
            yield from _package(tree, row)
            yield from _archive(tree, row)


def _environment(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    prefixes = {row for row in artifact.blobs if tree.child(row, b"conda-meta") is not None}
    prefixes |= {tree.parent(row) or 0 for row in artifact.blobs if tree.name(row) == b"conda-meta"}
    for prefix in sorted(prefixes):
        meta = tree.child(prefix, b"conda-meta")
        own: set[bytes] = set()
        for name, row in sorted(tree.children(meta).items() if meta is not None else ()):
            if not name.endswith(b".json"):
                continue
            text = tree.read(row, CAP)
            found = Installed() if isinstance(text, Problem) else parsed(text, Installed)
            if isinstance(found, ValueError):
                yield Expectation(tree.path(row), row, "structure", by="conda")
            elif found.paths_data:
                for each in found.paths_data.paths:
                    told = _file(tree, prefix, each, f"conda-meta/{shown(name)}", installed=True)
                    own.add(told.path)
                    yield told
        yield from records.installed(tree, prefix, own)


def _package(tree: Tree, package: int) -> Iterator[Expectation]:
    row = tree.child(package, b"info", b"paths.json")
    text = tree.read(row, CAP) if row is not None else b"{}"
    found = Paths() if isinstance(text, Problem) else parsed(text, Paths)
    if row is not None and isinstance(found, ValueError):
        yield Expectation(tree.path(row), row, "structure", by="its package")
        return
    assert isinstance(found, Paths)
    for each in found.paths:
        yield _file(tree, package, each, "info/paths.json", installed=False)


def _file(tree: Tree, folder: int, told: File, by: str, *, installed: bool) -> Expectation:
    path, row = at(tree, folder, told.path)
    if told.kind in ("softlink", "directory") or row is None:
        return Expectation(path, row, "there", by=by)
    digest = told.in_prefix if installed and told.in_prefix else told.sha256
    if installed and told.placeholder and not told.in_prefix:
        return Expectation(path, row, "nothing", by=by, why=PATCHED)
    if not digest:
        return Expectation(path, row, "nothing", by=by, why=UNLISTED)
    same = not installed or told.in_prefix in (None, told.sha256)
    return Expectation(path, row, "sha256", digest.lower(), told.size if same else None, by)


def _archive(tree: Tree, package: int) -> Iterator[Expectation]:
    """The archive that a package was unpacked from, where it is still there."""
    record, folder = tree.child(package, b"info", b"repodata_record.json"), tree.parent(package)
    text = tree.read(record, CAP) if record is not None else b"{}"
    told = Archive() if isinstance(text, Problem) else parsed(text, Archive)
    if isinstance(told, ValueError) or folder is None:
        return
    for end in ARCHIVES:
        name = tree.name(package) + end
        row = tree.child(folder, name)
        if row is None:
            continue
        found = Expectation(tree.path(row), row, "structure", by="info/repodata_record.json")
        if told.fn == shown(name) and (told.sha256 or told.md5):
            method = "sha256" if told.sha256 else "md5"
            found = replace(found, method=method, value=told.sha256 or told.md5 or "", size=told.size)
        yield found
