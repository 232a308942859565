"""What an Ollama model holds, layer by layer, and the registry that it was pulled from."""

from __future__ import annotations

from modelyard.inventory import Artifact, Held, Source
from modelyard.problem import Problem
from modelyard.stores.ollama_manifest import read_manifest
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree


def source(tree: Tree, artifact: Artifact) -> Source | None:
    """The registry, the name and the tag of a model and its layers; None for what is no whole pulled model."""
    manifest = next((row for row in artifact.pins if tree.is_file(row)), None)
    found = read_manifest(tree, manifest) if manifest is not None else None
    if found is None or isinstance(found, Problem) or manifest is None:
        return None
    blobs = {shown(tree.name(row)).replace(":", "-", 1): row for row in artifact.blobs}
    files = []
    for digest in {each.digest for each in (*found.layers, found.config) if each.digest}:
        row = blobs.get(digest.replace(":", "-", 1))
        seen = tree.entry(row) if row is not None and tree.is_file(row) else None
        if row is None or seen is None:
            return None
        files.append(Held(digest, seen.size, shown(tree.name(row))[len("sha256-") :], row))
    host, space, model, tag = [shown(each) for each in tree.path(manifest).split(b"/")[-4:]]
    return Source("ollama", f"{host}/{space}/{model}", tag, tuple(sorted(files, key=lambda each: each.path)))
