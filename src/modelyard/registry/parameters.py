"""Parameters of estimators that JSON can hold; the others are defaults again after a load."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are finite numbers, texts, truth values, and lists and dicts of them."""
    return {key: each for key, each in parameters.items() if each is not None and _is_plain(each)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    if isinstance(value, float):
        return type(value) is float and math.isfinite(value)
    return value is None or type(value) in (bool, int, str)
