"""What transformers before 4.22 downloaded; transformers 5 neither reads nor migrates it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import never as recognise
from modelyard.stores.json import parsed
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "transformers-legacy",
    "Old transformers",
    ("TRANSFORMERS_CACHE", "PYTORCH_TRANSFORMERS_CACHE", "PYTORCH_PRETRAINED_BERT_CACHE", "TORCH_HOME", "HF_HOME"),
    kinds=("model",),
    recoveries=("re-get",),
)
VARIABLES = ("TRANSFORMERS_CACHE", "PYTORCH_TRANSFORMERS_CACHE", "PYTORCH_PRETRAINED_BERT_CACHE")
FLAT = re.compile(rb"[0-9a-f]{64}(\.[0-9a-f]{64}(\.h5)?)?$")


class Note(msgspec.Struct):
    """Where a file came from."""

    url: str = ""


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """Every place that one of the old versions used; which one depended on the version."""
    for variable in VARIABLES:
        if named := from_variables((variable,), env, home):
            yield named
    under = from_variables(("HF_HOME",), env, home)
    cache, found_by = xdg_cache(env, home)
    yield Root(f"{under.path if under else cache / 'huggingface'}/transformers", under.found_by if under else found_by)
    torch = from_variables(("TORCH_HOME",), env, home) or Root(str(cache / "torch"), found_by)
    for name in ("transformers", "pytorch_transformers"):
        yield Root(f"{torch.path}/{name}", torch.found_by)
    yield Root(str(home / ".pytorch_pretrained_bert"), "default")


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a file by the address it came from."""
    return Reading(tuple(_files(root, tree)))


def _files(root: Root, tree: Tree) -> Iterator[Artifact]:
    assert root.row is not None
    names = tree.children(root.row)
    for name, row in sorted(names.items()):
        if not FLAT.match(name) or tree.is_folder(row):
            continue
        pins = tuple(names[name + end] for end in (b".json", b".lock") if name + end in names)
        yield Artifact(
            f"transformers-legacy:{shown(name)[:12]}",
            "model",
            "transformers-legacy",
            _address(tree, names.get(name + b".json")) or shown(name),
            root.path,
            (row,),
            pins,
            state="orphan",
            recovery="re-get",
            detail="transformers 5 never reads it",
        )


def _address(tree: Tree, note: int | None) -> str:
    text = tree.read(note, 65536) if note is not None else b"{}"
    note_read = Note() if isinstance(text, Problem) else parsed(text, Note)
    return "" if isinstance(note_read, ValueError) else shown(note_read.url)
