"""The parts of a torch checkpoint: which one holds the weights, what is training's own, what can be kept as text."""

from __future__ import annotations

import json
from collections.abc import Callable

from modelyard.convert.weights import LeftOut
from modelyard.formats.file import BrokenError
from modelyard.formats.header import Tensor
from modelyard.formats.pickles import LONGEST_TEXT, Listed, Made, Mapping, Value
from modelyard.formats.training import TRAINING, WRAPPERS
from modelyard.formats.value_walk import arrays, pairs_of

LONGEST = 64 << 10
"""Letters of one metadata text."""
EVERYTHING = "."
Describe = Callable[[Made, str], list[Tensor] | None]
"""The tensors that an object stands for, None when it is none."""


def is_optimizer(value: Value) -> bool:
    """Whether a dict is what `Optimizer.state_dict()` gives."""
    keys = {key for key, _ in pairs_of(value) if isinstance(key, str)}
    return "param_groups" in keys and "state" in keys and len(keys) <= 4


def last_pairs(value: Value) -> dict[str, Value]:
    """The pairs of a dict by their keys as text, later ones over earlier ones. BrokenError for two keys of one text."""
    found = {key: each for key, each in pairs_of(value) if isinstance(key, str | int | float | bool)}
    named = {str(key): each for key, each in found.items()}
    if len(named) < len(found):
        raise BrokenError("has a dict in which two keys have the same name", "ambiguous")
    return named


def chosen(value: Value, part: str, describe: Describe) -> tuple[str, Value, tuple[LeftOut, ...]]:
    """The part of a checkpoint that holds the weights, its name (empty for all), and the parts of training.

    BrokenError where a part is not there, or where several could be meant: nothing is guessed.
    """
    if part and part != EVERYTHING:
        return part, *_named(value, part, describe)
    everything = last_pairs(value)
    groups = {key: each for key, each in everything.items() if arrays(each, describe)}
    if any(_is_leaf(each, describe) for each in groups.values()):
        return "", value, ()
    training = {key: each for key, each in everything.items() if key in TRAINING or is_optimizer(each)}
    left = tuple(LeftOut(key, _training(each, describe)) for key, each in training.items())
    rest = [key for key in groups if key not in training]
    if part == EVERYTHING or not WRAPPERS & set(rest):
        return "", value, left
    if len(rest) > 1:
        counts = ", ".join(f"`{key}` ({len(arrays(groups[key], describe)):,} tensors)" for key in rest)
        raise BrokenError(f"holds tensors in several parts: {counts}", "ambiguous")
    return rest[0], groups[rest[0]], left


def _training(value: Value, describe: Describe) -> str:
    found = arrays(value, describe)
    what = "the state of an optimizer" if is_optimizer(value) else "state of training"
    return f"{what}, {len(found):,} tensors of {sum(each.bytes for each in found):,} bytes" if found else what


def _is_leaf(value: Value, describe: Describe) -> bool:
    return isinstance(value, Made) and describe(value, "") is not None


def _named(value: Value, part: str, describe: Describe) -> tuple[Value, tuple[LeftOut, ...]]:
    """The value under a key, or under keys joined by dots, and the other parts with tensors or state of training."""
    here = last_pairs(value)
    words = [part] if part in here else part.split(".")
    at = value
    left: list[LeftOut] = []
    for depth, word in enumerate(words):
        beside = last_pairs(at)
        if word not in beside:
            known = ", ".join(f"`{key}`" for key in list(here)[:20]) or "none"
            raise BrokenError(f"has no part {part!r}; its parts are {known}", "no-part")
        at = beside.pop(word)
        above = "".join(f"{each}." for each in words[:depth])
        left += [LeftOut(above + key, why) for key, each in beside.items() if (why := _other(key, each, describe))]
    return at, tuple(left)


def _other(key: str, value: Value, describe: Describe) -> str:
    """Why a part that was not chosen is left out; empty where it holds nothing but texts and numbers."""
    if key in TRAINING or is_optimizer(value):
        return _training(value, describe)
    found = arrays(value, describe)
    return f"another part, {len(found):,} tensors of {sum(each.bytes for each in found):,} bytes" if found else ""


def texts(value: Value, taken: str, describe: Describe) -> tuple[dict[str, str], list[LeftOut]]:
    """What stands beside the weights and is no tensor, as text: JSON where it is more than a text.

    `taken` is the part that holds the weights. What cannot be written as JSON is left out.
    """
    found: dict[str, str] = {}
    left: list[LeftOut] = []
    for key, each in last_pairs(value).items() if isinstance(value, Mapping) else ():
        if key == taken or key in TRAINING or each is None or is_optimizer(each):
            continue
        try:
            text = each if isinstance(each, str) else json.dumps(_plain(each), ensure_ascii=False, sort_keys=True)
        except TypeError as error:
            if not arrays(each, describe):
                left.append(LeftOut(key, f"holds {error}"))
            continue
        if len(text) > LONGEST or (isinstance(each, str) and len(each.encode()) >= LONGEST_TEXT):
            left.append(LeftOut(key, f"a text of more than {min(LONGEST, LONGEST_TEXT):,} letters"))
        elif text not in ("{}", "[]", ""):
            found[key] = text
    return found, left


def _plain(value: Value, depth: int = 0) -> object:
    """A value as JSON has it. TypeError, with words for it, for anything else."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and len(value.encode("utf-8", "replace")) < LONGEST_TEXT:
        return value
    if depth > 16:
        raise TypeError("values too deep inside each other")
    if isinstance(value, Mapping) or (isinstance(value, Made) and value.what == "collections.OrderedDict"):
        return {key: _plain(each, depth + 1) for key, each in last_pairs(value).items()}
    if isinstance(value, Listed | tuple):
        return [_plain(each, depth + 1) for each in (value.items if isinstance(value, Listed) else value)]
    raise TypeError(f"an object of {value.what[:80]}" if isinstance(value, Made) else "what is no text")
