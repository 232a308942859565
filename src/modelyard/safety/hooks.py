"""What an unpickler looks up on an object itself, where a file may have put something of its own to be called.

From Modules/_pickle.c: `load_build` asks the instance for `__setstate__`, `do_append` for `extend` and `append`, before
their class. What the file put there is called with the file's arguments. Honest files fill an object first, give it
its state last and once, and spell the names of attributes.
"""

from __future__ import annotations

from modelyard.safety.policy import Vetted, lookup
from modelyard.safety.values import Made, Mapped, Reference, Unknown, Value

HOOK = "__setstate__"
PLAIN = {str, int, float, bool, bytes, bytearray, type(None)}
PASSIVE = ("array", "number", "type", "value", "encoder", "enum", "rebuild", "random", "bytes", "constant")
"""Kinds of vetted names whose results cannot be called."""


def is_hooked(pairs: list[Value]) -> bool:
    """Whether keys and values in turn put something that can be called where the unpickler looks for its hook."""
    keys = pairs[::2]
    return HOOK in keys and any(key == HOOK and _may_be_called(each) for key, each in _pairs(pairs))


def is_spelled(pairs: list[Value]) -> bool:
    """Whether a call spells a key that leads to something that can be called."""
    if set(map(type, pairs[::2])) <= PLAIN:
        return False
    return any(_may_spell(key) and _may_be_called(each) for key, each in _pairs(pairs))


def is_spelled_state(state: Value) -> bool:
    """Whether a state, or one part of it, has attributes whose names are spelled by calls."""
    parts = state if isinstance(state, tuple) else (state,)
    return any(isinstance(each, Mapped) and each.spelled for each in parts)


def _pairs(pairs: list[Value]) -> zip[tuple[Value, Value]]:
    return zip(pairs[::2], pairs[1::2], strict=False)


def _may_spell(key: Value) -> bool:
    """Whether a key may turn out to be any text."""
    if isinstance(key, Made) and key.made_by is not None:
        known = lookup(key.made_by.module, key.made_by.name)
        texts = key.made_by.module in ("builtins", "numpy") or key.made_by.name == "scalar"
        return texts or not isinstance(known, Vetted)
    return isinstance(key, Made | Unknown)


def _may_be_called(value: Value) -> bool:
    if isinstance(value, Made):
        known = lookup(value.made_by.module, value.made_by.name) if value.made_by else None
        return not (isinstance(known, Vetted) and known.kind in PASSIVE)
    return isinstance(value, Reference)
