"""The Hugging Face hub cache: where it is, and the blob store that its repositories may share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.hub_repo import Repo, companions
from modelyard.stores.places import from_variables, xdg_cache
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

HUB_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
LEGACY_VARIABLES = (
    "TRANSFORMERS_CACHE",
    "PYTORCH_TRANSFORMERS_CACHE",
    "PYTORCH_PRETRAINED_BERT_CACHE",
    "SENTENCE_TRANSFORMERS_HOME",
    "LLAMA_CACHE",
)
TYPES = {b"models": "model", b"datasets": "dataset", b"spaces": "space", b"kernels": "kernel"}
STORE = Store(
    "hf",
    "Hugging Face hub",
    (*HUB_VARIABLES, "HF_HOME", "XDG_CACHE_HOME", *LEGACY_VARIABLES),
    tuple(f"{name.decode()}--*" for name in TYPES),
    kinds=("model", "dataset"),
    recoveries=("re-get",),
)
OLD_DIFFUSERS = "default of diffusers before 0.14"
DEAD = "diffusers 0.14 and later never reads it"
SHARED_MARKER = b".huggingface-shared-blobs"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The cache the current client uses, then the places older and related clients used or were told to use."""
    under = from_variables(("HF_HOME",), env, home)
    cache, found_by = xdg_cache(env, home)
    default = Root(f"{under.path}/hub", "HF_HOME") if under else Root(str(cache / "huggingface" / "hub"), found_by)
    yield from_variables(HUB_VARIABLES, env, home) or default
    for variable in LEGACY_VARIABLES:
        if legacy := from_variables((variable,), env, home):
            yield legacy
    yield Root(f"{under.path if under else cache / 'huggingface'}/diffusers", OLD_DIFFUSERS)


def recognise(tree: Tree, row: int) -> int | None:
    """A hub root holds repository folders with blobs, snapshots or refs."""
    parts = tree.children(row)
    return tree.parent(row) if any(name in parts for name in (b"snapshots", b"blobs", b"refs")) else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact for each revision; further ones for what no revision uses and for unfinished downloads."""
    assert root.row is not None
    artifacts: list[Artifact] = []
    problems: list[Problem] = []
    used: set[int] = set()
    for name, row in sorted(tree.children(root.row).items()):
        prefix, _, rest = name.partition(b"--")
        if prefix in TYPES and rest and tree.is_folder(row):
            repo = Repo(tree, root, row, TYPES[prefix], shown(rest).replace("--", "/"))
            artifacts += repo.artifacts()
            problems += repo.problems
            used |= repo.payloads
    artifacts += _shared_leftovers(tree, root, used)
    dead = root.found_by == OLD_DIFFUSERS
    return Reading(tuple(_left(each) for each in artifacts) if dead else tuple(artifacts), tuple(problems))


def _left(artifact: Artifact) -> Artifact:
    """A revision that no present client looks for."""
    whole = artifact.state == "complete" and artifact.recovery == "re-get"
    return replace(artifact, state="orphan" if whole else artifact.state, detail=f"{artifact.detail}; {DEAD}")


def _shared_leftovers(tree: Tree, root: Root, used: set[int]) -> Iterator[Artifact]:
    """Payloads of the shared blob store that no repository links to any more, with their lock and reference files."""
    assert root.row is not None
    store = tree.child(root.row, b"blobs")
    if store is None or not tree.is_whole(root.row) or tree.child(store, SHARED_MARKER) is None:
        return
    orphans: list[int] = []
    for folder in tree.children(store).values():
        for name, row in sorted(tree.children(folder).items()):
            if len(name) == 64 and row not in used:
                orphans += [row, *companions(tree, row)]
    if orphans:
        yield Artifact(
            "hf:shared#orphan",
            "model",
            "hf",
            "shared blobs no repository uses",
            root.path,
            tuple(orphans),
            state="orphan",
            recovery="re-get",
            detail=f"{sum(len(tree.name(row)) == 64 for row in orphans)} blobs",
        )
