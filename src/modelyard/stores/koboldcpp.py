"""KoboldCpp: models that it downloaded beside itself or that its settings name, and what it unpacks to run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import child, temporary, unfinished, whole
from modelyard.stores.json import parsed
from modelyard.walk.read import names_in
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "koboldcpp",
    "KoboldCpp",
    ("--downloaddir", "TMPDIR"),
    ("koboldcpp*", "*.kcpps"),
    scattered=True,
    kinds=("model", "other"),
    recoveries=("re-get", "re-make", "none"),
)
MODEL = re.compile(rb".*\.(?:gguf|ggml)$|.*ggml.*\.bin$")
SETTINGS, CONTROL = b".kcpps", b".aria2"
CAP = 64 << 20  # a story may be part of the settings
UNPACKED, TEMPORARY = "_MEI", "temporary files"
WORDS = "unpacked to run; garbage when no KoboldCpp runs"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """What copies of the program unpacked among the temporary files; a crash leaves it there."""
    folder = temporary(env, platform)
    for path in (folder / name for name in names_in(str(folder)) if name.startswith(UNPACKED)):
        if os.access(path, os.R_OK | os.X_OK):  # the others are other people's
            yield Root(str(path), TEMPORARY, system=not path.is_relative_to(home), shared=True)


def recognise(tree: Tree, row: int) -> int | None:
    """The folder of the program or of its settings, where models lie beside them."""
    folder = tree.parent(row)
    names = tree.children(folder) if folder is not None else {}
    known = tree.name(row).endswith(SETTINGS) or tree.is_file(row)
    return folder if known and any(MODEL.match(name) for name in names) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model; half downloads together with what aria2 needs to go on."""
    assert root.row is not None
    names = tree.children(root.row)
    if root.found_by == TEMPORARY:
        ours = any(name.startswith(b"koboldcpp") for name in names)
        label = tree.label(root.row)
        return Reading((whole(STORE, root, label, label, "other", "re-make", WORDS),) if ours else ())
    halves = [row for name, row in sorted(names.items()) if _is_half(name, names)]
    return Reading((*_models(root, tree, halves), *unfinished(STORE, root, halves, "model")))


def _is_half(name: bytes, names: Mapping[bytes, int]) -> bool:
    """A model that aria2 has not finished, and its control file."""
    control = name if name.endswith(CONTROL) else name + CONTROL
    return control in names and MODEL.match(control.removesuffix(CONTROL)) is not None


def _models(root: Root, tree: Tree, halves: list[int]) -> Iterator[Artifact]:
    assert root.row is not None
    told = list(_told(tree, root.row))
    for name, row in sorted(tree.children(root.row).items()):
        if not MODEL.match(name) or row in halves or not tree.is_file(row):
            continue
        text = shown(name)
        users = [file for file, value in told if re.split(r"[/\\]", value)[-1].partition("?")[0] == text]
        sources = [value for _, value in told if value.startswith("https://") and f"/{text}" in value]
        draft = child(STORE, root, tree, row, "model", "re-get" if sources else "none", f"{tree.label(root.row)}/")
        facts = [("named by", ", ".join(dict.fromkeys(users)))] if users else []
        facts += [("from", sources[0])] if sources else []
        yield replace(draft, facts=tuple(facts), detail="" if sources else "nothing tells where it came from")


def _told(tree: Tree, folder: int) -> Iterator[tuple[str, str]]:
    """Every file and address that a settings file names, with the name of the settings."""
    for name, row in sorted(tree.children(folder).items()):
        text = tree.read(row, CAP) if name.endswith(SETTINGS) and tree.is_file(row) else b"{}"
        found = parsed(text, dict[str, object]) if not isinstance(text, Problem) else {}
        for value in {} if isinstance(found, ValueError) else found.values():
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str) and 0 < len(each) < 4096:
                    yield shown(name), shown(each)
