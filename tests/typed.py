"""Commands as a person types them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Answer(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


Run = Callable[..., Answer]
