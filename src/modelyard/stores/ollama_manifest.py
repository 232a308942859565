"""Ollama's manifests: four levels of folders that make a name, and JSON that lists the blobs it stands for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from modelyard.inventory import Root
from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

MANIFEST_CAP = 16 << 20  # models kept one blob a tensor list thousands of layers
MEND = "pull the model again, or remove it with `ollama rm`"


class Layer(msgspec.Struct):
    """One blob of a model."""

    digest: str = ""
    size: int = 0
    media_type: str = msgspec.field(default="", name="mediaType")
    origin: str = msgspec.field(default="", name="from")


class Manifest(msgspec.Struct):
    """What a name resolves to."""

    layers: list[Layer] = []
    config: Layer = msgspec.field(default_factory=Layer)


class Part(msgspec.Struct):
    """Progress of one part of a download, bytes."""

    size: int = msgspec.field(default=0, name="Size")
    completed: int = msgspec.field(default=0, name="Completed")


def manifests(tree: Tree, row: int | None) -> Iterator[tuple[str, int]]:
    """The short name of every manifest: host, namespace, model and tag are four levels of folders."""
    level: list[tuple[tuple[str, ...], int]] = [((), row)] if row is not None else []
    for _ in range(4):
        level = [((*way, shown(name)), child) for way, at in level for name, child in sorted(tree.children(at).items())]
    for way, child in level:
        if tree.is_file(child):
            yield _short(*way), child


def linked(tree: Tree, root: Root) -> bool:
    """Whether a link or something unreadable on the way to a manifest may hide models from us."""
    names = tree.child(root.row, b"manifests")
    if names is None:
        return False
    level = [names]
    for _ in range(5):
        if any(tree.is_link(row) or not tree.is_whole(row) for row in level):
            return True
        level = [child for row in level for child in tree.children(row).values()]
    return False


def _short(host: str, space: str, model: str, tag: str) -> str:
    """The name as `ollama list` prints it: the default registry and namespace are left out."""
    if host == "registry.ollama.ai":
        return f"{model}:{tag}" if space == "library" else f"{space}/{model}:{tag}"
    return f"{host}/{space}/{model}:{tag}"


def read_manifest(tree: Tree, row: int) -> Manifest | Problem:
    """The manifest, or a Problem when it cannot be read or names no layer."""
    text = tree.read(row, MANIFEST_CAP)
    if isinstance(text, Problem):
        return text
    manifest = parsed(text, Manifest)
    if isinstance(manifest, ValueError):
        return Problem(shown(tree.path(row)), "bad-manifest", f"not a manifest: {manifest}", MEND)
    if not manifest.layers and not manifest.config.digest:
        return Problem(shown(tree.path(row)), "bad-manifest", "a manifest without layers", MEND)
    return manifest
