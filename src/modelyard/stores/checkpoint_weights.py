"""The pieces of one checkpoint by what they are for: its weights, and what only resuming its training needs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from modelyard.formats.weight_headers import Span, check_weights, check_zip
from modelyard.problem import Problem
from modelyard.stores.checkpoint_kinds import WEIGHTS, classify
from modelyard.stores.json import parsed
from modelyard.walk.read import read_span
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

INDEX = b".index.json"
INDEX_CAP = 64 << 20
LOW_RANK = re.compile(rb"pytorch_lora_weights\.(?:safetensors|bin)$")
"""How the scripts of diffusers name the weights of an adapter."""
RESUME = re.compile(
    rb"(?:optimizer(?:_\d+)?\.(?:pt|bin)|scheduler(?:_\d+)?\.(?:pt|bin)|scaler\.pt"
    rb"|rng_state(?:_\d+)?\.pth|random_states_\d+\.pkl)$"
)
"""Optimizer, scheduler, scaler and random states, as transformers and accelerate name them."""
ONE_OF_SEVERAL = re.compile(rb"-\d+-of-\d+\.(?:safetensors|bin)$")


class Index(msgspec.Struct):
    """The part of an index that tells in which file each tensor is."""

    weight_map: dict[str, str]


def spans(tree: Tree, row: int) -> Span:
    """Reads parts of a file of the tree. ValueError with the reason where it cannot be read."""
    path = tree.path(row)

    def read(start: int, size: int) -> bytes:
        found = read_span(path, start, size)
        if isinstance(found, Problem):
            raise ValueError(found.message)
        return found

    return read


def weights_trouble(tree: Tree, row: int) -> str:
    """Why the weights of a checkpoint would not load, empty when every header of them is whole.

    Of sharded saves (DeepSpeed, torch's own, Orbax) only the names can be told, and those the kind has looked at.
    """
    if not tree.is_folder(row):
        return _file_trouble(tree, row)
    try:
        files = _weights(tree, row)
    except ValueError as error:
        return str(error)
    for each in sorted(files, key=tree.path):
        if trouble := _file_trouble(tree, each):
            return f"{shown(tree.name(each))}: {trouble}"
    if files or _holds_shards(tree, row):
        return ""
    return "there are no weights in it"


def _weights(tree: Tree, row: int) -> set[int]:
    """The files of weights in a checkpoint and in the folders of its parts. ValueError where some are missing."""
    found = set()
    for folder in (row, *(each for each in tree.children(row).values() if tree.is_folder(each))):
        indexed = _indexed(tree, folder)
        for name, each in tree.children(folder).items():
            if ONE_OF_SEVERAL.search(name) and each not in indexed:
                raise ValueError(f"no index names {shown(name)} and its others")
            if WEIGHTS.match(name) or LOW_RANK.match(name):
                found.add(each)
        found |= indexed
    return found


def _indexed(tree: Tree, row: int) -> set[int]:
    """The files that the indexes name. ValueError where one cannot be read or names a file that is not there."""
    found = set()
    for name, each in tree.children(row).items():
        if not name.endswith(INDEX):
            continue
        text = tree.read(each, INDEX_CAP)
        index = ValueError(text.message) if isinstance(text, Problem) else parsed(text, Index)
        if isinstance(index, ValueError):
            raise ValueError(f"{shown(name)} cannot be read: {index}")
        for file in set(index.weight_map.values()):
            shard = tree.child(row, file.encode("utf-8", "surrogatepass"))
            if shard is None:
                raise ValueError(f"{shown(name)} names {file}, which is not there")
            found.add(shard)
    return found


def _file_trouble(tree: Tree, row: int) -> str:
    seen = tree.entry(row)
    if seen is None or not tree.is_file(row):
        return "it is no plain file"
    try:
        check = check_zip if tree.name(row).endswith(b".ckpt") else check_weights
        check(spans(tree, row), seen.size)
    except ValueError as error:
        return str(error)
    return ""


def _holds_shards(tree: Tree, row: int) -> bool:
    """Whether it is a sharded save, or holds a finished one."""
    inner = (classify(tree, each) for each in (row, *tree.children(row).values()))
    return any(
        kind and kind.format in ("DeepSpeed", "torch DCP", "Orbax") and kind.state == "complete" for kind in inner
    )


def resume_pieces(tree: Tree, row: int) -> Iterator[int]:
    """Rows of what only an exact resume needs; none where weights might lie among it, as in DeepSpeed's rank files."""
    if not tree.is_folder(row) or _holds_shards(tree, row):
        return
    for name, each in sorted(tree.children(row).items()):
        if RESUME.match(name) and tree.is_file(each):
            yield each
