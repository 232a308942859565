"""A model file that another program keeps, with what that program says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field


class ForeignFile(Struct, frozen=True):
    """Where it lies, the name that it gets in a version, and which codec loads it with which configuration."""

    path: str
    inside: str
    codec: str
    framework: str
    config: Mapping[str, Any] | None = None
    pickled: bool = False
    """Whether it is loaded by unpickling, as its program says."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """Further files that it is no model without, by the name that they get: the configuration, the tokenizer."""
