"""Ollama's models folder: manifests by name, and blobs by digest that several models may share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from modelyard.inventory import Artifact, LastUsed, Reading, Root, State, Store
from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.stores.ollama_manifest import Manifest, Part, linked, manifests, read_manifest
from modelyard.stores.ollama_settings import roots as roots
from modelyard.walk.tree import Tree

STORE = Store(
    "ollama",
    "Ollama",
    ("desktop app setting `models`", "OLLAMA_MODELS", "Environment=OLLAMA_MODELS of ollama.service"),
    ("manifests",),
    kinds=("model",),
    recoveries=("re-get", "none"),
    evidence="when it was pulled or created, and reading of its files",
)
PARTIAL = re.compile(rb"(sha256[-:][0-9a-f]{64})(-partial(-\d+)?|\.tmp)$")
PART = re.compile(rb"-partial-\d+$")


def recognise(tree: Tree, row: int) -> int | None:
    """Manifests beside blobs named by digest."""
    root = tree.parent(row)
    blobs = tree.child(root, b"blobs")
    return (
        root
        if blobs is not None and any(name.startswith(b"sha256") and len(name) > 60 for name in tree.children(blobs))
        else None
    )


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a tag; what no manifest names is an orphan, and with an unreadable manifest nobody's to judge."""
    folder, names = tree.child(root.row, b"blobs"), tree.child(root.row, b"manifests")
    blobs = {_digest(name): row for name, row in tree.children(folder).items()} if folder is not None else {}
    artifacts: list[Artifact] = []
    problems: list[Problem] = []
    for name, row in manifests(tree, names):
        found = read_manifest(tree, row)
        if isinstance(found, Problem):
            problems.append(found)
            artifacts.append(_draft(root, name, name, (), (row,), state="corrupt", detail="its manifest is unreadable"))
        else:
            artifacts.append(_model(tree, root, name, row, found, blobs))
    artifacts += _partials(tree, root, blobs)
    used = {row for artifact in artifacts for row in artifact.blobs}
    loose = [row for _, row in sorted(blobs.items()) if row not in used]
    if loose:
        artifacts.append(_loose(root, loose, sure=not problems and not linked(tree, root)))
    return Reading(tuple(artifacts), tuple(problems))


def _draft(
    root: Root, name: str, title: str, blobs: Iterable[int], pins: tuple[int, ...] = (), *, state: State, detail: str
) -> Artifact:
    rows = tuple(dict.fromkeys(blobs))
    return Artifact(f"ollama:{name}", "model", "ollama", title, root.path, rows, pins, state=state, detail=detail)


def _digest(name: bytes) -> bytes:
    """Blob names were `sha256:<hex>` once; the server renames them when it starts."""
    return name.replace(b":", b"-", 1)


def _model(tree: Tree, root: Root, name: str, row: int, manifest: Manifest, blobs: Mapping[bytes, int]) -> Artifact:
    layers = [layer for layer in (*manifest.layers, manifest.config) if layer.digest]
    held = {layer.digest: blobs.get(_digest(layer.digest.encode())) for layer in layers}
    present = [blob for blob in held.values() if blob is not None]
    missing = len(held) - len(present)
    created = any(layer.origin for layer in layers)
    words = (
        f"{missing} of {len(held)} layers are missing" if missing else "made here from another model" if created else ""
    )
    seen = tree.entry(row)
    return replace(
        _draft(root, name, name, present, (row,), state="dangling" if missing else "complete", detail=words),
        tags=(name.rpartition(":")[2],),
        recovery="none" if created else "re-get",
        last_used=LastUsed(seen.mtime, "pulled or created then", "low") if seen else None,
    )


def _partials(tree: Tree, root: Root, blobs: Mapping[bytes, int]) -> Iterator[Artifact]:
    """Interrupted downloads: the blob at full apparent size, and a small file for the progress of each part."""
    groups: dict[str, list[bytes]] = {}
    for name in sorted(blobs):
        if found := PARTIAL.match(name):
            groups.setdefault(_digest(found[1]).decode()[:19], []).append(name)
    for short, names in groups.items():
        parts = [_progress(tree, blobs[name]) for name in names if PART.search(name)]
        total = sum(part.size for part in parts)
        words = f"{100 * sum(part.completed for part in parts) // total} % of it had arrived" if total else ""
        rows = [blobs[name] for name in names]
        draft = _draft(root, f"partial/{short}", f"unfinished download {short}", rows, state="partial", detail=words)
        yield replace(draft, recovery="re-get")


def _progress(tree: Tree, row: int) -> Part:
    text = tree.read(row, 65536)
    part = Part() if isinstance(text, Problem) else parsed(text, Part)
    return Part() if isinstance(part, ValueError) else part


def _loose(root: Root, rows: list[int], *, sure: bool) -> Artifact:
    """Blobs that no manifest names. Where a manifest could not be read any of them may be its own."""
    words = f"{len(rows)} blobs that no model names"
    if not sure:
        words = "a manifest cannot be read: any of these may be its own"
    return _draft(root, "#orphan", "blobs no model names", rows, state="orphan" if sure else "complete", detail=words)
