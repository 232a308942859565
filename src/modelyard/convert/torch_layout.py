"""Where everything goes in a file of torch: a zip archive of one pickle and a stored, aligned member a storage.

Layout: torch's `caffe2/serialize/inline_container.h` and `serialization.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from modelyard.convert.layout import Item, Shard
from modelyard.convert.stored_zip import Member, frame, placed, size_of
from modelyard.convert.torch_pickle import state_dict
from modelyard.formats.file import BrokenError
from modelyard.formats.value_walk import LONGEST_NAME

ALIGNED = 64
"""Where storages begin, in bytes: what torch itself takes care of."""
MOST_TENSORS = 12_000
"""A pickle of more is longer than what readers that bound themselves follow."""
ROOT = "archive/"


def layout(items: Sequence[Item], tied: Mapping[str, str], name: str) -> Shard:
    """The one file that holds these tensors and, as other names of the same storage, the tied ones."""
    if len(items) + len(tied) > MOST_TENSORS:
        raise BrokenError(f"has more than {MOST_TENSORS:,} tensors", "too-large")
    if long := next((each for each in items if len(each.tensor.name) >= LONGEST_NAME), None):
        raise BrokenError(f"has a name of more than {LONGEST_NAME} letters: {long.tensor.name[:80]!r}", "too-large")
    ordered = sorted(items, key=lambda each: (each.tensor.file, each.tensor.offset or 0))
    numbers = {each.tensor.name: str(at) for at, each in enumerate(ordered)}
    whole = [*items, *_aliases(items, tied)]
    keys = {each.tensor.name: numbers[tied.get(each.tensor.name, each.tensor.name)] for each in whole}
    pickle = state_dict(
        (each.tensor.name, each.dtype, each.tensor.shape, keys[each.tensor.name], each.bytes) for each in whole
    )
    entries = placed(_members(pickle, ordered, numbers), ALIGNED)
    places = {each.member.key: each.start for each in entries if each.member.key}
    there = tuple(replace(each, at=places[tied.get(each.tensor.name, each.tensor.name)]) for each in whole)
    return Shard(name, there, size_of(entries), lambda sums: frame(entries, sums), summed=True)


def _aliases(items: Sequence[Item], tied: Mapping[str, str]) -> list[Item]:
    by_name = {each.tensor.name: each for each in items}
    return [
        replace(by_name[kept], tensor=replace(by_name[kept].tensor, name=other), alias=True)
        for other, kept in tied.items()
    ]


def _members(pickle: bytes, ordered: Sequence[Item], numbers: Mapping[str, str]) -> list[Member]:
    records = {
        "data.pkl": pickle,
        ".format_version": b"1",
        ".storage_alignment": b"%d" % ALIGNED,
        "byteorder": b"little",
    }
    storages = [
        Member(f"{ROOT}data/{numbers[each.tensor.name]}", b"", each.bytes, each.tensor.name) for each in ordered
    ]
    return [*(Member(ROOT + name, data) for name, data in records.items()), *storages, Member(f"{ROOT}version", b"3\n")]
