"""text-generation-webui: models, and the adapters and training data that exist nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Kind, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.folders import child
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "textgen",
    "text-generation-webui",
    ("--user-data-dir", "--model-dir"),
    ("user_data", "download-model.py"),
    kinds=("model", "dataset"),
    recoveries=("re-get", "none"),
)
DATA, MODELS, PROGRAM = b"user_data", b"models", b"download-model.py"
OWN = (b"characters", b"presets", b"instruction-templates", b"CMD_FLAGS.txt", b"settings-template.yaml")
PARTS: dict[bytes, Kind] = {
    MODELS: "model",
    b"image_models": "model",
    b"mmproj": "model",
    b"loras": "model",
    b"training": "dataset",
}
SHIPPED = re.compile(rb"\.|(?:place|put)-.*\.txt$|config(?:-user)?\.yaml$|.*\.(?:txt|yaml|yml|json|jinja)$")
NOTE, CAP = b"huggingface-metadata.txt", 1 << 20
FORMATS = b"formats"  # comes with the program, beside what one trains with
UNKNOWN = "nothing tells where it came from"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """None: it lies where it was unpacked, and its flags name the folders."""
    return ()


def recognise(tree: Tree, row: int) -> int | None:
    """The folder of a person's own data, beside the program or above a portable one; before 2025 the program's own."""
    if tree.name(row) == DATA:
        names = tree.children(row)
        return row if MODELS in names and any(part in names for part in OWN) else None
    program = tree.parent(row)
    names = tree.children(program) if program is not None else {}
    old = b"server.py" in names and b"modules" in names and MODELS in names and DATA not in names
    return program if old else None


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a model, an adapter and a set of training data."""
    return Reading(tuple(each for part, kind in PARTS.items() for each in _part(root, tree, part, kind)))


def _part(root: Root, tree: Tree, part: bytes, kind: Kind) -> Iterator[Artifact]:
    folder = tree.child(root.row, part)
    if folder is not None and tree.is_link(folder):  # people move the models to another disk
        folder = tree.follow(folder)
    precious = part in (b"loras", b"training")
    for name, row in sorted(tree.children(folder).items() if folder is not None else ()):
        if name == FORMATS or (not tree.is_folder(row) and SHIPPED.match(name)):
            continue
        if part == b"training" and not _holds_own(tree, row):
            continue
        draft = child(STORE, root, tree, row, kind, "none", f"{shown(part)}/")
        yield draft if precious and tree.child(row, NOTE) is None else _sourced(tree, draft, row)


def _holds_own(tree: Tree, row: int) -> bool:
    """Whether there is more than what comes with the program."""
    names = tree.children(row)
    return not tree.is_folder(row) or any(not name.startswith((b"put-", b"example_")) for name in names)


def _sourced(tree: Tree, draft: Artifact, row: int) -> Artifact:
    """The note that the program's downloader writes first: repository, branch and hashes."""
    note = tree.child(row, NOTE)
    text = tree.read(note, CAP) if note is not None else b""
    lines = [] if isinstance(text, Problem) else [shown(line) for line in text.splitlines()]
    facts = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
    address = facts.get("url", "")
    if not address.startswith("https://"):
        return replace(draft, detail=UNKNOWN)
    listed = [line.split() for line in lines if re.fullmatch(r"\s+[0-9a-f]{64} \S.*", line)]
    gone = [part for part in listed if tree.child(row, *part[1].encode("utf-8", "replace").split(b"/")) is None]
    return replace(
        draft,
        recovery="re-get",
        state="partial" if gone else "complete",
        tags=(facts.get("branch", ""),) if facts.get("branch") else (),
        detail=f"{len(gone)} of {len(listed)} large files missing" if gone else "",
        facts=(("from", address),),
    )
