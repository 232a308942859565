"""What edges share whose format has a table of its own: the tensors of a header, when nothing of it is in doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from modelyard.convert.weights import LeftOut
from modelyard.formats.file import BrokenError, File
from modelyard.formats.header import Header, Tensor
from modelyard.formats.known import reading
from modelyard.problem import Problem


def header_of(read: Callable[[File], Header | Problem], file: File, most: int) -> Header:
    """The header by the reader of its format. BrokenError where it is a Problem, incomplete, or perhaps not all.

    `most` is how many tensors the reader lists before it stops.
    """
    file.reader = reading
    found = read(file)
    if isinstance(found, Problem):
        raise BrokenError(found.message, found.code)
    if not found.complete:
        raise BrokenError("ends before what its header promises", "truncated")
    if len(found.tensors) >= most:
        raise BrokenError(f"has {most:,} tensors or more", "too-large")
    if not found.tensors:
        raise BrokenError("holds no tensors", "no-tensors")
    return found


def without(tensors: Iterable[Tensor], groups: Iterable[str], mark: str) -> tuple[list[Tensor], list[LeftOut]]:
    """The tensors that lie in none of these groups, and each group that was left out with what it held."""
    kept: list[Tensor] = []
    left: dict[str, list[Tensor]] = {}
    wanted = set(groups)
    for each in tensors:
        group = each.name.partition(mark)[0]
        (left.setdefault(group, []) if group in wanted else kept).append(each)
    out = [
        LeftOut(name, f"the state of an optimizer, {len(each):,} tensors of {sum(one.bytes for one in each):,} bytes")
        for name, each in left.items()
    ]
    if not kept:
        raise BrokenError("holds no tensors of a model", "no-tensors")
    return kept, out
