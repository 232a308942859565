"""The input and output schema of a model, from one example: names, dtypes, and shapes with a free first axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.registry.blocks import is_array, is_tensor
from modelyard.registry.metadata import Port

TOGETHER = 256
"""Outputs of more parts are described by the first."""


def ports(value: Any, word: str) -> list[Port]:
    """The ports of an example: a table has one a column, a dict one a key, a tuple one a place, else `word`."""
    if _is_table(value):
        return [
            Port(name=str(name), dtype=_named(value.dtypes.iloc[at]), shape=[None]) for at, name in enumerate(value)
        ]
    if isinstance(value, Mapping):
        return [each for name, part in value.items() if (each := _port(str(name), part)) is not None]
    if isinstance(value, tuple) or hasattr(value, "_fields"):
        named = ((f"{word}_{at}", each) for at, each in enumerate(value))
        return [each for name, part in named if (each := _port(name, part)) is not None]
    found = _port(word, value)
    return [] if found is None else [found]


def _is_table(value: Any) -> bool:
    return type(value).__name__ == "DataFrame" and hasattr(value, "dtypes") and hasattr(value.dtypes, "iloc")


def _named(dtype: Any) -> str:
    text = str(dtype).removeprefix("torch.")
    return "str" if text in ("object", "string", "str") or text.startswith(("<U", "|S", ">U")) else text


def _port(name: str, value: Any) -> Port | None:
    """One array; None for what is none, as a cache of a language model."""
    if is_tensor(value) or is_array(value) or (hasattr(value, "shape") and hasattr(value, "dtype")):
        return Port(
            name=name,
            dtype=_named(value.dtype),
            shape=[None, *(int(each) for each in value.shape[1:])][: len(value.shape)],
        )
    if isinstance(value, list) and value:
        import numpy

        try:
            return _port(name, numpy.asarray(value))
        except ValueError:  # rows of several lengths
            return Port(name=name, dtype="list", shape=[None])
    if isinstance(value, bool | int | float | str):
        return Port(name=name, dtype=type(value).__name__, shape=[])
    return None
