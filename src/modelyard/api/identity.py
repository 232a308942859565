"""Which files have the same content: phases that each tell more files apart, the cheap ones first.

A phase is data: it can be run, priced and printed. Small files are compared byte by byte. What is left of the others at
the end is equal by a digest of 256 bits over every byte, or, where names carry digests, by name, which whoever changes
anything proves again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from modelyard.api.comparing import by_bytes, price_of_bytes
from modelyard.api.digesting import all_known, by_digest, price_of_digests
from modelyard.api.equality import Group, Search, Told, parted
from modelyard.api.sampling import END, Sample, ends, spots
from modelyard.walk.extents import LEAST, layout


class Phase(Struct, frozen=True):
    """One way to tell files apart: its name, what it does in words, the doing, and its price: bytes to be read."""

    name: str
    words: str
    split: Callable[[Search, list[Group]], list[Group]]
    price: Callable[[Search, list[Group]], int]


def _nothing(search: Search, groups: list[Group]) -> int:
    return 0


def _sizes(search: Search, _: list[Group]) -> list[Group]:
    """Files of one size, each inode once."""
    found = search.tree.same_size(search.least, search.below)
    if search.wanted:
        found = [group for group in found if any(map(search.wanted, group))]
    return found


def _extents(search: Search, groups: list[Group]) -> list[Group]:
    """Files that have the very same extents are one: nothing is to be had from them, and one is read for all."""
    sharing = {number for number, _, how, _ in search.tree.columns.devices if how == 1}
    if not sharing:
        return groups
    found = []
    for group in groups:
        if search.size(group) < LEAST or not any(search.entry(row).device in sharing for row in group):
            found.append(group)
            continue
        first: dict[tuple[object, ...], int] = {}
        for row in group:
            key = layout(search.tree.path(row)) or (row,)
            one = first.setdefault((search.entry(row).device, *key), row)
            if one != row:
                search.twins.setdefault(one, []).append(row)
        found.append(list(first.values()))
    return [group for group in found if len(group) > 1]


def _names(search: Search, groups: list[Group]) -> list[Group]:
    """Groups in which every file has a name that is a digest of one kind are told apart by it."""
    if not groups:
        return groups
    from modelyard.stores.content_names import ContentNames  # late: it knows the stores, and small files have no use

    names = ContentNames(search.tree)
    left = []
    for group in groups:
        told = {row: found for row in group if (found := names.of(row))}
        search.named |= told
        kinds = {method for method, _ in told.values()}
        if len(told) < len(group) or len(kinds) > 1:
            left.append(group)
            continue
        for same in parted(group, lambda row: search.named[row]):
            search.found(same, "name")
    return left


def _samples(search: Search, groups: list[Group]) -> list[Group]:
    """Large files are told apart by their ends, then by a few bytes of each tensor."""
    for way in (ends, spots):
        found = []
        for group in groups:
            if all_known(search, group):
                found.append(group)
                continue
            found += parted(group, partial(_sampled, search, way))
        groups = found
    return groups


def _sampled(search: Search, way: Callable[[bytes, int], Sample], row: int) -> object:
    try:
        digest, read = way(search.tree.path(row), search.entry(row).size)
    except OSError as error:
        search.trouble(row, error)
        return row
    search.read += read
    return digest


def _price_samples(search: Search, groups: list[Group]) -> int:
    return sum(len(group) * 2 * END for group in groups)


PHASES = (
    Phase("size", "files of the same size", _sizes, _nothing),
    Phase("extents", "of those that share their extents already one", _extents, _nothing),
    Phase("bytes", "small ones compared byte by byte", by_bytes, price_of_bytes),
    Phase("name", "told apart by names that are digests", _names, _nothing),
    Phase("sample", "told apart by headers, starts of tensors and ends", _samples, _price_samples),
    Phase("digest", "told apart by every byte", by_digest, price_of_digests),
)


def find_equal(search: Search, phases: Sequence[Phase] = PHASES) -> Search:
    """Runs the phases. Ctrl-C leaves what was found until then, marked partial."""
    groups: list[Group] = []
    try:
        for number, phase in enumerate(phases, start=1):
            before = search.read
            search.say(f"{number}/{len(phases)} {phase.words}")
            groups = phase.split(search, groups)
            told = Told(phase.name, sum(map(len, groups)), len(groups), search.read - before)
            search.told.append(told)
    except KeyboardInterrupt:
        search.partial = True
    search.equal.sort(key=lambda each: (-each.size * (len(each.rows) - 1), search.tree.path(each.rows[0])))
    return search
