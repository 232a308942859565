"""Nested dicts, lists and tuples of tensors and plain values: the tensors by a flat name, the rest as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from modelyard.registry.blocks import is_array, is_tensor
from modelyard.registry.errors import RegistryError

DEEPEST = 64


def flatten(value: Any, name: str = "") -> tuple[Any, dict[str, Any]]:
    """JSON that says how it is nested, and every tensor by a name made of the keys on the way to it."""
    tensors: dict[str, Any] = {}
    return _flat(value, name, tensors, 0), tensors


def _flat(value: Any, name: str, tensors: dict[str, Any], depth: int) -> Any:
    if depth > DEEPEST:
        raise RegistryError(f"{name[:80]!r} is nested more than {DEEPEST} deep", "too-deep")
    if is_tensor(value) or is_array(value):
        return {"tensor": _kept(value, name or "value", tensors)}
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return {"value": value}
    if type(value) is float:
        return {"value": value} if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, Mapping):
        pairs = [(key, _flat(each, _below(name, key), tensors, depth + 1)) for key, each in value.items()]
        if all(isinstance(key, str) for key, _ in pairs):
            return {"dict": dict(pairs)}
        return {"pairs": [[_flat(key, name, {}, depth + 1), each] for key, each in pairs]}
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        below = [_flat(each, _below(name, at), tensors, depth + 1) for at, each in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": below}
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    hint = "tensors, arrays, numbers, texts, None, and dicts, lists and tuples of them can"
    raise RegistryError(f"{name or 'it'!r} is a {kind}, which cannot be kept without pickle", "unsupported", hint)


def _below(name: str, key: object) -> str:
    return f"{name}.{key}" if name else str(key)


def _kept(value: Any, name: str, tensors: dict[str, Any]) -> str:
    """Puts a tensor under its name, or under one like it where two would be equal."""
    free, number = name, 1
    while free in tensors or free == "__metadata__":
        number += 1
        free = f"{name}#{number}"
    tensors[free] = value
    return free


def unflatten(tree: Any, tensors: Mapping[str, Any]) -> Any:
    """What was flattened. RegistryError where the JSON does not fit the tensors."""
    try:
        return _nested(tree, tensors, 0)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise RegistryError(f"its structure does not fit its tensors: {error!r}", "damaged-config") from error


def _nested(tree: Any, tensors: Mapping[str, Any], depth: int) -> Any:
    ((kind, inside),) = tree.items()
    if depth > DEEPEST:
        raise ValueError("nested too deep")
    if kind == "tensor":
        return tensors[inside]
    if kind == "value":
        return inside
    if kind == "float":
        return float(inside)
    if kind == "dict":
        return {key: _nested(each, tensors, depth + 1) for key, each in inside.items()}
    if kind == "pairs":
        return {_nested(key, tensors, depth + 1): _nested(each, tensors, depth + 1) for key, each in inside}
    below = [_nested(each, tensors, depth + 1) for each in inside]
    if kind not in ("list", "tuple"):
        raise ValueError(f"{kind!r} is no kind of structure")
    return below if kind == "list" else tuple(below)
