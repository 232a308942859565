"""Installed Python packages and unpacked wheels by their `RECORD`: each file, digest and size (PEP 376, 427)."""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Collection, Iterator

from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.stores.environment import package_folders
from modelyard.stores.expects.expectation import Expectation, at
from modelyard.walk.tree import Tree

CAP = 64 << 20
METHODS = ("sha256", "sha512")
INFO = b".dist-info"


def environment(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """Every file of every distribution in the package folders of an environment."""
    for prefix in prefixes(tree, artifact):
        yield from installed(tree, prefix)


def prefixes(tree: Tree, artifact: Artifact) -> list[int]:
    """The folders of an artifact that look like an environment: its own, or that of the parts it is told by."""
    found = [row for row in artifact.blobs if tree.is_folder(row) and package_folders(tree, row)]
    above = {tree.parent(row) for row in artifact.blobs} - {None}
    return found or [row for row in above if row is not None and package_folders(tree, row)]


def installed(tree: Tree, prefix: int, others: Collection[bytes] = ()) -> Iterator[Expectation]:
    """The files of the distributions in an environment, but for those whose RECORD is one of the other files."""
    seen = set()
    for folder in package_folders(tree, prefix):
        if tree.path(folder) not in seen and not tree.is_link(folder):
            seen.add(tree.path(folder))
            yield from distributions(tree, folder, others)


def distributions(tree: Tree, folder: int, others: Collection[bytes] = ()) -> Iterator[Expectation]:
    """The files of the distributions whose metadata lie in a folder."""
    for name, row in sorted(tree.children(folder).items()):
        note = tree.child(row, b"RECORD") if name.endswith(INFO) else None
        if note is not None and tree.path(note) not in others:
            yield from listed(tree, folder, note)


def listed(tree: Tree, folder: int, note: int) -> Iterator[Expectation]:
    """The files of one RECORD, whose paths count from the folder. Rows without a digest are passed over."""
    text = tree.read(note, CAP)
    if isinstance(text, Problem):
        return
    by = f"{tree.name(tree.parent(note) or 0).decode('utf-8', 'replace')}/RECORD"
    for path, told, size in rows(text):
        method, _, value = told.partition("=")
        digest = in_hex(value)
        if method not in METHODS or not digest:
            continue
        where, row = at(tree, folder, path)
        length = int(size) if size.isascii() and size.isdecimal() else None
        how = "there" if row is None else method
        yield Expectation(where, row, how, digest, length, by)  # type: ignore[arg-type]


def rows(text: bytes) -> Iterator[tuple[str, str, str]]:
    """Path, digest and size as a RECORD tells them; lines that are no such row are passed over."""
    reader = csv.reader(io.StringIO(text.decode("utf-8", "surrogateescape"), newline=""))
    try:
        for row in reader:
            if len(row) >= 3 and row[0] and not row[0].startswith("/"):
                yield row[0], row[1], row[2]
    except csv.Error:
        return


def in_hex(value: str) -> str:
    """Hex of a digest in URL-safe base64 without padding, empty where it is none."""
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
    except (binascii.Error, ValueError):
        return ""


def archives(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """The wheels that uv has unpacked: a folder each, with the RECORD of the wheel in it."""
    for bucket in artifact.blobs:
        unpacked = [bucket] if _has_metadata(tree, bucket) else list(tree.children(bucket).values())
        for row in unpacked:
            if tree.is_folder(row):
                yield from distributions(tree, row)


def _has_metadata(tree: Tree, folder: int) -> bool:
    return any(name.endswith(INFO) for name in tree.children(folder))
