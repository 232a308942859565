"""Docker Model Runner: models as manifests and blobs, and bundles of hard links to run them from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import unfinished
from modelyard.stores.json import parsed
from modelyard.stores.places import from_variables
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "docker-models",
    "Docker Model Runner",
    ("MODELS_PATH",),
    ("models.json",),
    kinds=("model",),
    recoveries=("re-get",),
)
INDEX, LAYOUT, BLOBS = b"models.json", b"layout.json", b"blobs"
NOTES, ALGORITHMS = (b"manifests", b"bundles"), (b"sha256", b"sha512")
CAP = 16 << 20
HALF = b".incomplete"  # resumed by the next pull; the runner removes those untouched for a week
DAMAGED = "the index of the models is damaged, so that every blob counts as used"
UNLISTED = "of models that the index does not list"


class Entry(msgspec.Struct):
    """A model: the digest of its manifest, its names, the digests of its layers and settings."""

    id: str
    tags: list[str] | None = None
    files: list[str] | None = None


class Index(msgspec.Struct):
    """All models of a store."""

    models: list[Entry] | None = None


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`~/.docker/models`, unless a variable says otherwise, which other programs know too."""
    named = from_variables(("MODELS_PATH",), env, home)
    yield replace(named, shared=True) if named else Root(str(home / ".docker" / "models"), "default")


def recognise(tree: Tree, row: int) -> int | None:
    """An index beside a layout and blobs: also the volume in which an engine keeps them."""
    folder = tree.parent(row)
    return folder if folder is not None and _is_store(tree, folder) else None


def _is_store(tree: Tree, row: int) -> bool:
    names = tree.children(row)
    return INDEX in names and LAYOUT in names and (BLOBS in names or b"manifests" in names)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model; half downloads and blobs of no model apart."""
    assert root.row is not None
    if not _is_store(tree, root.row):
        return Reading()
    text = tree.read(tree.children(root.row)[INDEX], CAP)
    index = text if isinstance(text, Problem) else parsed(text, Index)
    blobs = dict(_blobs(tree, root.row))
    halves = [row for name, row in sorted(blobs.items()) if name.endswith(HALF.decode())]
    rest = unfinished(STORE, root, halves, "model")
    problems: list[Problem] = []
    if isinstance(index, Problem | ValueError):
        hint = "pull one of its models again, which writes it anew"
        problems = [Problem(shown(tree.path(root.row)), "bad-index", f"{DAMAGED}: {index}", hint)]
        index = Index()
    found = [_model(root, tree, entry, blobs) for entry in index.models or []]
    used = {row for each in found for row in each.rows} | set(halves)
    left = tuple(row for name, row in sorted(blobs.items()) if row not in used)
    notes = [(part, row) for part in NOTES for row in _listed(tree, root.row, part) if row not in used]
    doubt = bool(problems) or any(part == NOTES[0] for part, _ in notes)
    words = UNLISTED if doubt else f"{len(left)} blobs no model uses"
    lost = _artifact(root, left, "unlisted" if doubt else "#orphan", words)
    lost = replace(lost, pins=tuple(row for _, row in notes), state="complete" if doubt else "orphan")
    return Reading((*found, *rest, *([lost] if lost.rows else [])), tuple(problems))


def _listed(tree: Tree, row: int, part: bytes) -> list[int]:
    """What lies in a folder by algorithm and digest."""
    folders = [tree.child(row, part, algorithm) for algorithm in ALGORITHMS]
    return [each for folder in folders if folder is not None for _, each in sorted(tree.children(folder).items())]


def _blobs(tree: Tree, row: int) -> Iterator[tuple[str, int]]:
    """Every blob by its digest."""
    for algorithm in ALGORITHMS:
        folder = tree.child(row, BLOBS, algorithm)
        for name, blob in tree.children(folder).items() if folder is not None else ():
            yield f"{shown(algorithm)}:{shown(name)}", blob


def _model(root: Root, tree: Tree, entry: Entry, blobs: Mapping[str, int]) -> Artifact:
    digests = [shown(each) for each in entry.files or ()]
    rows = tuple(dict.fromkeys(blobs[each] for each in digests if each in blobs))
    algorithm, _, number = entry.id.partition(":")
    way = (algorithm.encode("utf-8", "replace"), number.encode("utf-8", "replace"))
    notes = [tree.child(root.row, part, *way) for part in NOTES]
    tags = tuple(shown(tag) for tag in entry.tags or ())
    missing = len(set(digests)) - len(rows)
    name = tags[0] if tags else shown(number)[:12]
    return replace(
        _artifact(root, rows, name, f"{missing} of its blobs are gone" if missing else ""),
        pins=tuple(row for row in notes if row is not None),
        revision=shown(entry.id),
        tags=tags[1:],
        state="dangling" if missing else "complete",
    )


def _artifact(root: Root, rows: tuple[int, ...], name: str, detail: str) -> Artifact:
    title = "docker-models"
    return Artifact(f"{title}:{name}", "model", title, name, root.path, rows, recovery="re-get", detail=detail)
