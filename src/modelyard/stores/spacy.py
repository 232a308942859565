"""spaCy pipelines: packages that pip installed, and what a program of one's own trained and wrote to disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.stores.surroundings import grounds
from modelyard.units import size
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "spacy",
    "spaCy pipelines",
    ("spacy download", "nlp.to_disk()"),
    ("meta.json",),
    scattered=True,
    kinds=("model",),
    recoveries=("re-get", "none"),
)
META, CAP = b"meta.json", 1 << 20
ENTRY = b"__init__.py"


class Meta(msgspec.Struct):
    """The part of meta.json that names a pipeline."""

    lang: str
    pipeline: list[str]
    name: str = ""
    version: str = ""


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: pipelines lie among Python's packages, or where a program put them."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder above the pipeline's own. What runs and downloads hold is theirs."""
    folder = tree.parent(row)
    if folder is None or not _is_pipeline(tree, folder) or grounds(tree, folder) & {"hub", "run"}:
        return None
    return tree.parent(folder)


def _is_pipeline(tree: Tree, row: int) -> bool:
    """By names alone: this is asked for every meta.json of a home."""
    names = tree.children(row)
    return META in names and b"vocab" in names and (b"config.cfg" in names or b"tokenizer" in names)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a pipeline."""
    assert root.row is not None
    found = [
        _pipeline(root, tree, row) for _, row in sorted(tree.children(root.row).items()) if _is_pipeline(tree, row)
    ]
    return Reading(tuple(each for each in found if each))


def _pipeline(root: Root, tree: Tree, row: int) -> Artifact | None:
    text = tree.read(tree.children(row)[META], CAP)
    meta = parsed(text, Meta) if not isinstance(text, Problem) else None
    if meta is None or isinstance(meta, ValueError):
        return None
    title = shown(f"{meta.lang}_{meta.name} {meta.version}".strip())
    facts = (("language", shown(meta.lang)), ("components", shown(", ".join(meta.pipeline[:20]))))
    label = tree.label(row)
    draft = Artifact(f"spacy:{label}", "model", "spacy", title, root.path, (row,), facts=facts)
    package, ground = tree.parent(row), grounds(tree, row)
    if package is not None and ("package" in ground or _notes(tree, package)) and ENTRY in tree.children(package):
        return _installed(draft, tree, package, "environment" in ground)
    if "environment" in ground:
        return None
    return replace(draft, detail="written by a program, not a package: it may exist nowhere else")


def _installed(draft: Artifact, tree: Tree, package: int, inside: bool) -> Artifact:
    """A package. One inside an environment claims nothing: removing the environment must go on freeing its bytes."""
    if inside:
        words = f"{size(tree.totals(package).allocated)} of an environment, counted there; `pip uninstall` removes it"
        return replace(draft, blobs=(), recovery="re-get", detail=words)
    return replace(draft, blobs=(package,), pins=_notes(tree, package), recovery="re-get", detail="installed by pip")


def _notes(tree: Tree, package: int) -> tuple[int, ...]:
    """What pip wrote about the package beside it."""
    stem = tree.name(package) + b"-"
    folder = tree.parent(package)
    names = tree.children(folder) if folder is not None else {}
    return tuple(row for name, row in sorted(names.items()) if name.startswith(stem) and name.endswith(b".dist-info"))
