"""Types of the C machine for plain pickle streams."""

from collections.abc import Callable

from modelyard.safety.policy import Name
from modelyard.safety.values import Reference, Value

Entry = tuple[int, Name, Reference]

def follow(
    data: bytes,
    start: int,
    known: dict[bytes, Entry],
    ask: Callable[[str, str, bool], Entry],
    persistent: Callable[[Value], tuple[str, Value]] | None,
    whole: bool,
    with_arrays: bool,
    /,
) -> tuple[bool, int, int, dict[Name, int], int, bool] | None: ...
