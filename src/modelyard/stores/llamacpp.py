"""llama.cpp's own flat cache of earlier builds and of `--model-url`; what `-hf` gets today lies in the hub cache."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import unfinished
from modelyard.stores.places import from_variables, user_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "llamacpp",
    "llama.cpp",
    ("LLAMA_CACHE", "XDG_CACHE_HOME"),
    ("manifest=*",),
    kinds=("model",),
    recoveries=("re-get",),
)
SPLIT = re.compile(rb"-\d{5}-of-\d{5}\.gguf$")


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`LLAMA_CACHE`, else the platform's own cache folder."""
    cache, found_by = user_cache(env, home, platform)
    yield from_variables(("LLAMA_CACHE",), env, home) or Root(str(cache / "llama.cpp"), found_by)


def recognise(tree: Tree, row: int) -> int | None:
    """A manifest beside model files."""
    folder = tree.parent(row)
    names = tree.children(folder) if folder is not None else {}
    return folder if any(name.endswith(b".gguf") for name in names) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model, the parts of a split one together, each with its notes."""
    assert root.row is not None
    names = tree.children(root.row)
    halves = [row for name, row in sorted(names.items()) if name.endswith(b".downloadInProgress")]
    return Reading((*_models(root, names), *unfinished(STORE, root, halves, "model")))


def _models(root: Root, names: Mapping[bytes, int]) -> Iterator[Artifact]:
    groups: dict[bytes, list[bytes]] = {}
    for name in sorted(names):
        if name.endswith(b".gguf"):
            groups.setdefault(SPLIT.sub(b".gguf", name), []).append(name)
    for model, parts in groups.items():
        notes = [names[part + end] for part in parts for end in (b".etag", b".json") if part + end in names]
        title = shown(model).removesuffix(".gguf")
        rows = tuple(names[part] for part in parts)
        yield Artifact(
            f"llamacpp:{title}", "model", "llamacpp", title, root.path, rows, tuple(notes), recovery="re-get"
        )
