"""What a model is called with: arrays by the names of its schema become an array, a tuple, a table, a dict, tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SINGLE = "input"
"""What the schema calls the only input of a model, and `input_0` the first of several by place."""
TENSORS = frozenset(("torch", "transformers"))
"""Codecs whose models take tensors."""


def arranged(inputs: Mapping[str, Any], codec: str) -> Any:
    """One array, several by place or by name, or a table, as in the example that the schema was made of."""
    values: Mapping[str, Any] = inputs
    if codec in TENSORS:
        import torch

        values = {name: torch.from_numpy(array) for name, array in inputs.items()}
    if list(values) == [SINGLE]:
        return values[SINGLE]
    if list(values) == [f"{SINGLE}_{at}" for at in range(len(values))]:
        return tuple(values.values())
    return _table(values) if all(each.ndim == 1 for each in values.values()) else dict(values)


def _table(columns: Mapping[str, Any]) -> Any:
    import pandas

    return pandas.DataFrame(dict(columns))
