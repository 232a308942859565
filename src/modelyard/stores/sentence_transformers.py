"""Full copies of models that sentence-transformers before 2.3 kept; later ones use the layout of the hub cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import child
from modelyard.stores.folders import never as recognise
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "sentence-transformers",
    "Old sentence-transformers",
    ("SENTENCE_TRANSFORMERS_HOME", "TORCH_HOME", "XDG_CACHE_HOME"),
    kinds=("model",),
    recoveries=("re-get", "none"),
)
LAST = b"modules.json"  # was fetched after everything else
PART, ARCHIVE = b"_part", b"model.zip"  # the end of a folder that an archive was fetched into, and the archive
OF_THE_HUB = b".gitattributes"  # only what came from a repository holds it; what `save` writes does not
SERVERS = (b"sbert.net_", b"public.ukp.informatik.tu-darmstadt.de_")
READ = "sentence-transformers 2.3 and later never reads it"
OWN = "nothing tells that it was downloaded: it may be one's own"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The variable's folder, which new releases fill with the layout of the hub, and the one in torch's home."""
    if named := from_variables(("SENTENCE_TRANSFORMERS_HOME",), env, home):
        yield replace(named, shared=True)
    cache, found_by = xdg_cache(env, home)
    torch = from_variables(("TORCH_HOME",), env, home) or Root(str(cache / "torch"), found_by)
    yield Root(f"{torch.path}/sentence_transformers", torch.found_by)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a copy, orphaned; without its last file it is half a download."""
    return Reading(tuple(_copies(root, tree)))


def _copies(root: Root, tree: Tree) -> Iterator[Artifact]:
    assert root.row is not None
    for name, row in sorted(tree.children(root.row).items()):
        names = tree.children(row)
        got = OF_THE_HUB in names or name.startswith(SERVERS)
        draft = child(STORE, root, tree, row, "model", "re-get" if got else "none")
        half = name.endswith(PART) and (ARCHIVE in names or name.startswith(SERVERS))
        if half or (got and LAST not in names):
            yield replace(draft, state="partial", recovery="re-get", detail=READ)
        elif LAST in names:
            yield replace(draft, state="orphan" if got else "complete", detail=READ if got else OWN)
