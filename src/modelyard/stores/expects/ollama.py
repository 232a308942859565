"""Ollama and those who keep blobs as it does: a blob is named by its SHA-256, a manifest lists names and sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.stores.expects.expectation import Expectation, files_below
from modelyard.stores.ollama_manifest import read_manifest
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

NAMED = re.compile(rb"(?:sha256[-:])?([0-9a-f]{64})$")
MANIFEST = re.compile(r"sha256[:-]([0-9a-f]{64})$")


def expects(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """The layers of a model as its manifest tells them; blobs that no manifest names by their own names."""
    manifest = next((row for row in artifact.pins if tree.is_file(row)), None)
    found = read_manifest(tree, manifest) if manifest is not None else None
    if manifest is None or found is None or isinstance(found, Problem):
        yield from named(tree, artifact)
        return
    models = _models(tree, manifest)
    by = f"the manifest {tree.label(manifest)}"
    blobs = {shown(tree.name(row)).replace(":", "-", 1): row for row in artifact.blobs}
    for digest, size in {each.digest: each.size for each in (*found.layers, found.config) if each.digest}.items():
        word = MANIFEST.match(digest)
        row = blobs.get(digest.replace(":", "-", 1))
        path = tree.path(row) if row is not None else models + b"/blobs/" + digest.replace(":", "-", 1).encode()
        if word is None:
            yield Expectation(path, row, "nothing", why=f"its digest is of a kind that is not known: {digest[:20]}")
        else:
            yield Expectation(path, row, "sha256" if row is not None else "there", word[1], size or None, by)


def _models(tree: Tree, manifest: int) -> bytes:
    """The folder of models, five levels above a manifest."""
    path = tree.path(manifest)
    for _ in range(5):
        path = path.rpartition(b"/")[0]
    return path


def named(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """Files whose name is `sha256-` and their digest, or that lie in a folder `sha256` under it alone."""
    for row in files_below(tree, artifact.blobs):
        name = tree.name(row)
        found = NAMED.match(name)
        folder = tree.parent(row)
        sure = name.startswith(b"sha256") or (folder is not None and tree.name(folder) == b"sha256")
        if found and sure:
            yield Expectation(tree.path(row), row, "sha256", found[1].decode(), by="its name")
