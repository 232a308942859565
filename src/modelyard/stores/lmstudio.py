"""LM Studio: models as publisher/repository/file, runtimes, and the old retrieval cache."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Artifact, Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.places import expand
from modelyard.stores.settings import json_settings
from modelyard.walk.read import read_setting
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "lmstudio",
    "LM Studio",
    ("~/.lmstudio-home-pointer", "settings.json downloadsFolder"),
    (".internal",),
    kinds=("model", "other"),
    recoveries=("re-get",),
)
QUANTISATION = re.compile(
    r"(?i)(?:^|[-._])((?:IQ|TQ|Q)\d+(?:_[A-Z0-9]+)*|BF16|F16|F32|FP16|MXFP4(?:_MOE)?|NVFP4)(?=[-._]|$)"
)
SPLIT = re.compile(r"-\d{5}-of-\d{5}$")


class Settings(msgspec.Struct):
    """The part of settings.json that moves the models."""

    downloads_folder: str = msgspec.field(default="", name="downloadsFolder")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The app's home by its pointer file, the old place if it is there, else the new one; and a moved models folder."""
    pointer = read_setting(f"{home}/.lmstudio-home-pointer")
    if isinstance(pointer, Problem):
        yield pointer
        pointer = ""
    old = home / ".cache" / "lm-studio"
    if pointer.strip():
        base = Root(expand(pointer, env, home), "~/.lmstudio-home-pointer")
    elif os.path.isdir(old):
        base = Root(str(old), "default before 0.3.10")
    else:
        base = Root(str(home / ".lmstudio"), "default")
    yield base
    settings = json_settings(f"{base.path}/settings.json", Settings)
    if isinstance(settings, Problem):
        yield settings
    elif settings.downloads_folder:
        yield Root(expand(settings.downloads_folder, env, home), "settings.json downloadsFolder")


def recognise(tree: Tree, row: int) -> int | None:
    """The app's home holds `.internal` beside its settings and its models or hub folder."""
    home = tree.parent(row)
    names = tree.children(home) if home is not None else {}
    return home if b"settings.json" in names and (b"models" in names or b"hub" in names) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model and quantisation, one a runtime, one for the retrieval cache."""
    assert root.row is not None
    is_home = root.found_by != "settings.json downloadsFolder"
    models = tree.child(root.row, b"models") if is_home else root.row
    artifacts: list[Artifact] = []
    for publisher, folder in sorted(tree.children(models).items() if models is not None else ()):
        for repo, row in sorted(tree.children(folder).items()):
            if tree.is_folder(row):
                artifacts += _models(tree, root, f"{shown(publisher)}/{shown(repo)}", row)
    if is_home:
        artifacts += _others(tree, root)
    return Reading(tuple(artifacts))


def _artifact(root: Root, name: str, title: str, rows: list[int], **more: object) -> Artifact:
    return Artifact(f"lmstudio:{name}", "model", "lmstudio", title, root.path, tuple(rows), **more)  # type: ignore[arg-type]


def _models(tree: Tree, root: Root, name: str, folder: int) -> Iterator[Artifact]:
    """A repository's GGUF files by quantisation; a repository in another format is one model."""
    files = tree.children(folder)
    variants: dict[str, list[int]] = {}
    shared, parts = [], []
    for file, row in sorted(files.items()):
        stem, _, ending = shown(file).rpartition(".")
        if ending == "part":
            parts.append(row)
        elif ending == "gguf" and not stem.startswith("mmproj"):
            variants.setdefault(SPLIT.sub("", stem), []).append(row)
        elif not tree.is_folder(row):
            shared.append(row)
    if parts:
        yield _artifact(
            root, f"{name}#partial", f"{name}, unfinished", parts, state="partial", recovery="re-get", group=name
        )
    labels = _labels(list(variants))
    for stem, rows in variants.items():
        pins = (
            tuple(row for row in rows if tree.is_link(row))
            + tuple(shared)
            + ((folder,) if len(variants) == 1 and not parts else ())
        )
        blobs = [row for row in rows if not tree.is_link(row)]
        detail = labels[stem] if blobs else f"{labels[stem]}, a link to a file elsewhere"
        yield _artifact(
            root,
            f"{name}@{labels[stem]}",
            f"{name} {labels[stem]}",
            blobs,
            pins=pins,
            revision=labels[stem],
            detail=detail,
            recovery="re-get",
            group=name,
        )
    if not variants and not parts:
        yield _artifact(root, name, name, [folder], recovery="re-get", group=name)


def _labels(stems: list[str]) -> dict[str, str]:
    """The quantisation that each file name tells; the whole name where it tells none or two tell the same."""
    found = {stem: (QUANTISATION.findall(stem) or [stem])[-1] for stem in stems}
    labels = list(found.values())
    return {stem: label if labels.count(label) == 1 else stem for stem, label in found.items()}


def _others(tree: Tree, root: Root) -> Iterator[Artifact]:
    backends = tree.child(root.row, b"extensions", b"backends")
    for name, row in sorted(tree.children(backends).items() if backends is not None else ()):
        if tree.is_folder(row):
            title = f"runtime {shown(name)}"
            name_of = f"lmstudio:runtime/{shown(name)}"
            yield Artifact(name_of, "other", "lmstudio", title, root.path, (row,), recovery="re-get")
    cache = tree.child(root.row, b".session_cache")
    if cache is not None:
        title = "retrieval cache of old versions"
        yield Artifact("lmstudio:session-cache", "other", "lmstudio", title, root.path, (cache,), recovery="re-make")
