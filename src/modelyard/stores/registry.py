"""Registries of one's own models, as `modelyard registry` keeps them: a folder a version, which exists nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

MARKER = ".modelyard-registry"
STORE = Store("registry", "modelyard registry", (), (MARKER,), scattered=True, kinds=("model",), recoveries=("none",))
VERSION = re.compile(rb"v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$")
DRAFT = re.compile(rb"\.modelyard-version-[0-9a-f]{16}$")
METADATA, ALIASES = b"metadata.json", b"aliases.json"
CAP = 16 << 20
DEEPEST = 8
UNFINISHED = "a save that was killed; the next save beside it removes it"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None by default: registries lie where people make them, and are recognised by their marker."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder of the marker."""
    return tree.parent(row) if tree.is_file(row) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a version, and one for each save that was killed."""
    assert root.row is not None
    found: list[Artifact] = []
    problems: list[Problem] = []
    for name, row in _models(tree, root.row, "", 0):
        aliases, problem = _aliases(tree, row)
        problems += [problem] if problem else []
        found += _versions(root, tree, name, row, aliases)
    return Reading(tuple(found), tuple(problems))


def _models(tree: Tree, folder: int, prefix: str, depth: int) -> Iterator[tuple[str, int]]:
    """Folders that may hold versions, by the name of the model."""
    for name, row in sorted(tree.children(folder).items()):
        if tree.is_folder(row) and not name.startswith(b".") and not VERSION.match(name) and depth < DEEPEST:
            yield prefix + shown(name), row
            yield from _models(tree, row, f"{prefix}{shown(name)}/", depth + 1)


def _aliases(tree: Tree, model: int) -> tuple[dict[str, list[str]], Problem | None]:
    """The aliases of each version of a model."""
    row = tree.child(model, ALIASES)
    text = tree.read(row, CAP) if row is not None else b"{}"
    found = text if isinstance(text, Problem) else parsed(text, dict[str, str])
    if isinstance(found, Problem):
        return {}, found
    if isinstance(found, ValueError):
        path = shown(tree.path(row)) if row is not None else ""
        return {}, Problem(path, "damaged-aliases", f"its aliases cannot be read: {found}")
    named: dict[str, list[str]] = {}
    for alias, version in sorted(found.items()):
        named.setdefault(version.removeprefix("v"), []).append(alias)
    return named, None


def _versions(root: Root, tree: Tree, name: str, model: int, aliases: Mapping[str, list[str]]) -> Iterator[Artifact]:
    for part, row in sorted(tree.children(model).items()):
        match = VERSION.match(part)
        if tree.is_folder(row) and match:
            yield _version(root, tree, f"{name}@{shown(match[1])}", row, aliases.get(shown(match[1]), []))
        elif tree.is_folder(row) and DRAFT.match(part):
            draft = f"{name}#{shown(part)}"
            yield Artifact(
                f"registry:{draft}", "model", "registry", draft, root.path, (row,), state="partial",
                group=root.path, detail=UNFINISHED,
            )  # fmt: skip


def _version(root: Root, tree: Tree, title: str, row: int, aliases: list[str]) -> Artifact:
    meta = tree.child(row, METADATA)
    text = tree.read(meta, CAP) if meta is not None else None
    found = parsed(text, dict[str, object]) if isinstance(text, bytes) else None
    broken = not isinstance(found, dict)
    facts: Mapping[str, object] = found if isinstance(found, dict) else {}
    told = [(key, str(facts[key])) for key in ("framework", "created", "task", "parent", "license") if facts.get(key)]
    return Artifact(
        f"registry:{title}", "model", "registry", title, root.path, (row,), tags=tuple(aliases), group=root.path,
        state="corrupt" if broken else "complete", detail="its metadata cannot be read" if broken else "",
        facts=tuple(told),
    )  # fmt: skip
