"""Files whose own name tells their digest: PyTorch Hub, DVC, the artifact cache of wandb."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.stores.expects.expectation import Expectation, files_below
from modelyard.walk.tree import Tree

SUFFIX = re.compile(rb"-((?=[0-9a-f]*[a-f])[0-9a-f]{8,64})\.[^.]+$")  # digits alone are a date as often as a hash
REST = re.compile(rb"([0-9a-f]{30})(?:\.dir)?$")
NUMBER = rb"([\x80-\xff]*[\0-\x7f])"
STAGED = re.compile(rb"(?s)\x12\x18([A-Za-z0-9+/]{22}==)\x20" + NUMBER + rb"2" + NUMBER + rb"(?=(/.{0,4096}))")
LOG_CAP = 64 << 20
PAIR = re.compile(rb"[0-9a-f]{2}$")
NAME = "its name"
OTHER_HASH = "its name is a hash of another kind, which is not computed here"


def torch_hub(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """Weights that carry the beginning of their SHA-256: `resnet18-f37072fd.pth` (torch.hub, `check_hash`)."""
    for row in files_below(tree, artifact.blobs if artifact.kind == "model" else ()):
        found = SUFFIX.search(tree.name(row))
        if found and artifact.state != "partial":
            yield Expectation(tree.path(row), row, "sha256-prefix", found[1].decode(), by=NAME)


def dvc(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """Objects named by their MD5, in folders of the first two digits (dvc_data/hashfile).

    DVC 2 left carriage returns of text out of it.
    """
    for row in files_below(tree, artifact.blobs):
        if digest := _split(tree, row):
            folder = tree.parent(tree.parent(row) or 0)
            new = folder is not None and tree.name(folder) == b"md5"
            yield Expectation(tree.path(row), row, "md5" if new else "md5-dos2unix", digest, by=NAME)


def wandb(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """Cached files by their MD5 in hex (wandb/sdk/artifacts/artifact_file_cache.py); logs of runs by their own CRCs."""
    for row in files_below(tree, artifact.blobs):
        if artifact.kind == "run":
            if tree.name(row).endswith(b".wandb"):
                yield Expectation(tree.path(row), row, "structure")
                yield from _staged(tree, row) if artifact.recovery == "none" else ()
        elif digest := _split(tree, row):
            above = tree.parent(tree.parent(row) or 0)
            if above is not None and tree.name(above) == b"md5":
                yield Expectation(tree.path(row), row, "md5", digest, by=NAME)
            else:
                yield Expectation(tree.path(row), row, "structure", why=OTHER_HASH)


def _staged(tree: Tree, log: int) -> Iterator[Expectation]:
    """What the log of a run that was never synced says of the files that wait to be uploaded.

    An entry of a manifest in wandb's protobuf: 1 the path, 2 the MD5 in base64, 4 the size, 6 where the file waits.
    """
    text = tree.read(log, LOG_CAP)
    for found in STAGED.finditer(b"" if isinstance(text, Problem) else text):
        where = found[4][: _number(found[3])]
        row = tree.find(where) if where.startswith(b"/") and b"/artifacts/staging/" in where else None
        if row is not None and tree.is_file(row):
            digest = base64.b64decode(found[1]).hex()
            yield Expectation(where, row, "md5", digest, _number(found[2]), f"the manifest in {tree.label(log)}")


def _number(varint: bytes) -> int:
    return sum((each & 0x7F) << 7 * place for place, each in enumerate(varint))


def _split(tree: Tree, row: int) -> str:
    """The digest that the names of a folder and of a file in it make together, empty where they make none."""
    folder = tree.parent(row)
    found = REST.match(tree.name(row))
    if found is None or folder is None or not PAIR.match(tree.name(folder)):
        return ""
    return (tree.name(folder) + found[1]).decode()
