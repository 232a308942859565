"""Code of models and data sets that Hugging Face libraries copied so that Python can import it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import child
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "hf-modules",
    "Hugging Face remote code",
    ("HF_MODULES_CACHE", "HF_HOME", "XDG_CACHE_HOME"),
    kinds=("other",),
    recoveries=("re-get",),
)
CODE = (b"transformers_modules", b"datasets_modules", b"diffusers_modules", b"evaluate_modules")
BYTECODE = b"__pycache__"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`HF_MODULES_CACHE`, else beside the hub cache."""
    under = from_variables(("HF_HOME",), env, home)
    cache, found_by = xdg_cache(env, home)
    default = Root(f"{under.path}/modules", "HF_HOME") if under else Root(f"{cache}/huggingface/modules", found_by)
    yield from_variables(("HF_MODULES_CACHE",), env, home) or default


def read(root: Root, tree: Tree) -> Reading:
    """One artifact an owner or kind of code below each library's part."""
    return Reading(tuple(_copies(root, tree)))


def _copies(root: Root, tree: Tree) -> Iterator[Artifact]:
    for part in CODE:
        folder = tree.child(root.row, part)
        for name, row in sorted(tree.children(folder).items() if folder is not None else ()):
            if tree.is_folder(row) and name != BYTECODE:
                draft = child(STORE, root, tree, row, "other", "re-get", f"{shown(part)}/")
                yield replace(draft, detail="code of a repository, which runs when it is loaded")
