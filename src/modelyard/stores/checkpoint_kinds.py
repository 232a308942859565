"""What makes a folder or file a training checkpoint: content signatures, never a name alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from msgspec import Struct

from modelyard.inventory import State
from modelyard.stores.checkpoint_own import FORMAT, is_own
from modelyard.walk.tree import Tree

LIGHTNING_KEY = b"pytorch-lightning_version"
HEAD = 65536  # the key stands among the first of the pickled dict, right behind the first zip header
TRAINER_PARTS = {b"training_args.bin", b"optimizer.pt", b"scheduler.pt", b"rng_state.pth", b"scaler.pt"}
RANDOM_STATE = re.compile(rb"random_states_\d+\.pkl$")
WEIGHTS = re.compile(rb"(?:model|pytorch_model|adapter_model|diffusion_pytorch_model).*\.(?:safetensors|bin)$")
RANK = re.compile(rb"(?:mp_rank_\d+_model_states|.*_optim_states|zero_pp_rank_.*_model_states)\.pt$")
PART = re.compile(rb"(?:(?:bf16|fp16)_)?zero_pp_rank_(\d+)_mp_rank_(\d+)_optim_states\.pt$")
KNOWN: WeakKeyDictionary[Tree, dict[int, CheckpointKind | None]] = WeakKeyDictionary()
ORBAX_PART = {b"_CHECKPOINT_METADATA", b"manifest.ocdbt"}


class CheckpointKind(Struct, frozen=True):
    """Which program's checkpoint it is, and whether its save was finished."""

    format: str
    state: State


def _any(pattern: re.Pattern[bytes], names: Iterable[bytes]) -> bool:
    return any(pattern.match(name) for name in names)


def _trainer(name: bytes, names: frozenset[bytes]) -> CheckpointKind | None:
    if name.startswith(b"tmp-checkpoint-"):
        return CheckpointKind("Trainer", "partial")
    if not re.fullmatch(rb"checkpoint-\d+", name):
        return None
    if b"checkpoint-is-incomplete.txt" in names:
        return CheckpointKind("Trainer", "partial")
    if b"trainer_state.json" in names:
        return CheckpointKind("Trainer", "complete")
    return None


def _sharded(name: bytes, names: frozenset[bytes]) -> CheckpointKind | None:
    if _any(RANK, names):
        return CheckpointKind("DeepSpeed", "complete" if _every_rank(names) else "partial")
    if any(part.endswith(b".distcp") for part in names):
        whole = b".metadata" in names or any(part.endswith(b".metadata") and part.startswith(b"__") for part in names)
        return CheckpointKind("torch DCP", "complete" if whole else "partial")
    if b".orbax-checkpoint-tmp" in name:
        return CheckpointKind("Orbax", "partial")
    if names & ORBAX_PART:
        return CheckpointKind("Orbax", "complete")
    return None


def _every_rank(names: Iterable[bytes]) -> bool:
    """Whether the numbers of DeepSpeed's ranks leave no gap."""
    parts = {(int(part[1]), int(part[2])) for name in names if (part := PART.match(name))}
    data, model = ({part[at] for part in parts} for at in (0, 1))
    return len(parts) == (max(data, default=-1) + 1) * (max(model, default=-1) + 1)


def ranks(tree: Tree, row: int) -> frozenset[bytes]:
    """The rank files of a DeepSpeed tag."""
    return frozenset(name for name in tree.children(row) if RANK.match(name))


def _stepped(name: bytes, names: frozenset[bytes]) -> CheckpointKind | None:
    """Folders called checkpoint-something that no finished Trainer save explains."""
    if not re.match(rb"checkpoint[-_]\d+", name):
        return None
    if _any(RANDOM_STATE, names) and (b"optimizer.bin" in names or _any(WEIGHTS, names)):
        return CheckpointKind("Accelerate", "complete")
    if re.match(rb"checkpoint-\d+-epoch-\d+$", name) and _any(WEIGHTS, names):
        return CheckpointKind("simpletransformers", "complete")
    if names & TRAINER_PARTS:
        return CheckpointKind("Trainer", "partial")
    return CheckpointKind("weights only", "complete") if _any(WEIGHTS, names) else None


def classify(tree: Tree, row: int) -> CheckpointKind | None:
    """The kind of checkpoint that a folder is, None when it is none; looked at once a tree, however many ask."""
    known = KNOWN.setdefault(tree, {})
    if row not in known:
        known[row] = _classify(tree, row) if tree.is_folder(row) else None
    return known[row]


def _classify(tree: Tree, row: int) -> CheckpointKind | None:
    name, names = tree.name(row).rpartition(b"/")[2], frozenset(tree.children(row))
    if is_own(name, names):
        return CheckpointKind(FORMAT, "complete")
    return _trainer(name, names) or _sharded(name, names) or _stepped(name, names)


def is_lightning(tree: Tree, row: int) -> bool:
    """Whether a `.ckpt` file names Lightning's version key in its pickle; found by search, never by loading."""
    if tree.is_link(row):
        target = tree.follow(row)
        return target is not None and not tree.is_link(target) and is_lightning(tree, target)
    head = tree.read(row, HEAD, head=True) if tree.is_file(row) else b""
    return isinstance(head, bytes) and head[:2] in (b"PK", b"\x80\x02") and LIGHTNING_KEY in head


def step_of(name: bytes) -> int:
    """The step that a name tells, -1 where it tells none: `checkpoint-500`, `epoch=1-step=8.ckpt`, `global_step4`."""
    found = re.search(rb"step=?_?(\d+)", name) or re.search(rb"[-_](\d+)", name) or re.fullmatch(rb"(\d+).*", name)
    return int(found[1]) if found else -1
