"""Ollama's models folder: manifests by name, and blobs by digest that several models may share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Artifact, LastUsed, Platform, Reading, Recovery, Root, State, Store
from modelyard.problem import Problem
from modelyard.stores.places import from_variables
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store("ollama", "Ollama", ("desktop app setting `models`", "OLLAMA_MODELS"), ("manifests",))
MANIFEST_CAP = 16 << 20  # models kept one blob a tensor list thousands of layers
PARTIAL = re.compile(rb"(sha256[-:][0-9a-f]{64})(-partial(-\d+)?|\.tmp)$")
MODEL = "application/vnd.ollama.image.model"


class Layer(msgspec.Struct):
    """One blob of a model."""

    digest: str = ""
    size: int = 0
    mediaType: str = ""
    origin: str = msgspec.field(default="", name="from")


class Manifest(msgspec.Struct):
    """What a name resolves to."""

    layers: list[Layer] = []
    config: Layer = msgspec.field(default_factory=Layer)


class Part(msgspec.Struct):
    """Progress of one part of a download."""

    size: int = msgspec.field(default=0, name="Size")
    completed: int = msgspec.field(default=0, name="Completed")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The server's models folder: its variable, the user's own, and the one of the Linux service."""
    yield from_variables(("OLLAMA_MODELS",), env, home) or Root(str(home / ".ollama" / "models"), "default")
    if platform == "linux":
        yield Root("/usr/share/ollama/.ollama/models", "default of the system service", system=True)


def recognise(tree: Tree, row: int) -> int | None:
    """Manifests beside blobs named by digest."""
    root = tree.parent(row)
    blobs = tree.child(root, b"blobs")
    return root if blobs is not None and any(name.startswith(b"sha256") and len(name) > 60 for name in tree.children(blobs)) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a tag; what no manifest names is an orphan, and with an unreadable manifest nobody's to judge."""
    folder = tree.child(root.row, b"blobs")
    blobs = {_digest(name): row for name, row in tree.children(folder).items()} if folder is not None else {}
    artifacts: list[Artifact] = []
    problems: list[Problem] = []
    used: set[int] = set()
    unsure = False
    for name, row in _manifests(tree, tree.child(root.row, b"manifests")):
        found = _manifest(tree, row)
        if isinstance(found, Problem):
            unsure = True
            problems.append(found)
            artifacts.append(Artifact(f"ollama:{name}", "model", "ollama", name, root.path, (), (row,), state="corrupt", detail="its manifest cannot be read"))
            continue
        artifact = _model(tree, root, name, row, found, blobs)
        used.update(artifact.blobs)
        artifacts.append(artifact)
    artifacts += _partials(tree, root, blobs)
    used.update(row for artifact in artifacts for row in artifact.rows)
    artifacts += _orphans(root, [row for _, row in sorted(blobs.items()) if row not in used], unsure)
    return Reading(tuple(artifacts), tuple(problems))


def _digest(name: bytes) -> bytes:
    """Blob names were `sha256:<hex>` once; the server renames them when it starts."""
    return name.replace(b":", b"-", 1)


def _manifests(tree: Tree, row: int | None) -> Iterator[tuple[str, int]]:
    """The short name of every manifest: host, namespace, model and tag are four levels of folders."""
    level: list[tuple[tuple[str, ...], int]] = [((), row)] if row is not None else []
    for _ in range(4):
        level = [((*way, shown(name)), child) for way, at in level for name, child in sorted(tree.children(at).items())]
    for way, child in level:
        if tree.is_file(child):
            yield _short(*way), child


def _short(host: str, space: str, model: str, tag: str) -> str:
    """The name as `ollama list` prints it: the default registry and namespace are left out."""
    if host == "registry.ollama.ai":
        return f"{model}:{tag}" if space == "library" else f"{space}/{model}:{tag}"
    return f"{host}/{space}/{model}:{tag}"


def _manifest(tree: Tree, row: int) -> Manifest | Problem:
    text = tree.read(row, MANIFEST_CAP)
    if isinstance(text, Problem):
        return text
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        return Problem(shown(tree.path(row)), "bad-manifest", f"not a manifest: {error}", "pull the model again, or remove it with `ollama rm`")
    if not manifest.layers and not manifest.config.digest:
        return Problem(shown(tree.path(row)), "bad-manifest", "a manifest without layers", "pull the model again, or remove it with `ollama rm`")
    return manifest


def _model(tree: Tree, root: Root, name: str, row: int, manifest: Manifest, blobs: Mapping[bytes, int]) -> Artifact:
    layers = [layer for layer in (*manifest.layers, manifest.config) if layer.digest]
    held = {layer.digest: blobs.get(_digest(layer.digest.encode())) for layer in layers}
    missing = [digest for digest, blob in held.items() if blob is None]
    created = any(layer.origin for layer in layers)
    recovery: Recovery = "none" if created else "re-get"
    seen = tree.entry(row)
    detail = "made here from another model" if created else ""
    detail = f"{len(missing)} of {len(held)} layers are missing" if missing else detail
    return Artifact(
        f"ollama:{name}", "model", "ollama", name, root.path, tuple(dict.fromkeys(blob for blob in held.values() if blob is not None)),
        (row,), tags=(name.rpartition(":")[2],), state="dangling" if missing else "complete", recovery=recovery, detail=detail,
        last_used=LastUsed(seen.mtime, "pulled or created then", "low") if seen else None,
    )  # fmt: skip


def _partials(tree: Tree, root: Root, blobs: Mapping[bytes, int]) -> Iterator[Artifact]:
    """Interrupted downloads: the blob at full apparent size, and a small file for the progress of each part."""
    groups: dict[bytes, list[bytes]] = {}
    for name in sorted(blobs):
        found = PARTIAL.match(name)
        if found:
            groups.setdefault(_digest(found[1]), []).append(name)
    for digest, names in groups.items():
        done = total = 0
        for name in names:
            text = tree.read(blobs[name], 65536) if re.search(rb"-partial-\d+$", name) else b""
            try:
                part = msgspec.json.decode(text, type=Part) if isinstance(text, bytes) and text else Part()
            except msgspec.MsgspecError:
                part = Part()
            done, total = done + part.completed, total + part.size
        short = digest.decode()[:19]
        detail = f"{100 * done // total} % of it had arrived" if total else ""
        yield Artifact(
            f"ollama:partial/{short}", "model", "ollama", f"unfinished download {short}", root.path,
            tuple(blobs[name] for name in names), state="partial", recovery="re-get", detail=detail,
        )  # fmt: skip


def _orphans(root: Root, rows: list[int], unsure: bool) -> Iterator[Artifact]:
    if rows:
        state: State = "complete" if unsure else "orphan"
        detail = "a manifest cannot be read: any of these may be its own" if unsure else f"{len(rows)} blobs that no model names"
        yield Artifact("ollama:#orphan", "model", "ollama", "blobs no model names", root.path, tuple(rows), state=state, detail=detail)
