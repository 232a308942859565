"""The phase that reads: every byte of files that nothing else could tell apart, unless it is known what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

from modelyard.api.equality import Group, Search, parted
from modelyard.problem import Problem
from modelyard.walk.hash import Hashed, Method, hash_files


def by_digest(search: Search, groups: list[Group]) -> list[Group]:
    """Every byte of what is left; names and what was read before save a reading."""
    methods = {row: method_of(search, group) for group in groups for row in group}
    known: dict[int, bytes] = {}
    for row, method in methods.items():
        if (found := _known(search, row, method)) is not None:
            known[row] = found
    waiting = {id(group): sum(row not in known for row in group) for group in groups}
    of = {row: group for group in groups for row in group}

    def settle(row: int, digest: bytes | None) -> None:
        if digest is not None:
            known[row] = digest
        group = of[row]
        waiting[id(group)] -= 1
        if not waiting[id(group)]:
            finish(group)

    def finish(group: Group) -> None:
        for same in parted([row for row in group if row in known], lambda row: known[row]):
            proof: Literal["read", "name"] = "read" if not any(row in search.named for row in same) else "name"
            search.found(same, proof)

    for group in groups:
        if not waiting[id(group)]:
            finish(group)
    _read(search, [row for row in methods if row not in known], methods, settle)
    return [list(each.rows) for each in search.equal]


Settle = Callable[[int, bytes | None], None]


def _read(search: Search, rows: list[int], methods: dict[int, Method], settle: Settle) -> None:
    whole = sum(search.entry(row).size for row in rows)
    done = [0]

    def count(length: int) -> None:
        done[0] += length
        search.read += length
        search.say(f"{done[0]:,} of {whole:,} bytes")

    for method in sorted(set(methods.values())):
        of_kind = [row for row in rows if methods[row] == method]
        for number, found in hash_files([search.tree.path(row) for row in of_kind], [method], count):
            row = of_kind[number]
            if isinstance(found, Problem):
                search.problems.append(found)
                settle(row, None)
                continue
            search.cache.put(found)
            settle(row, found.digests[method] if _as_seen(search, row, found) else None)


def _as_seen(search: Search, row: int, found: Hashed) -> bool:
    now = search.seen(row)
    return (found.seen.device, found.seen.inode, found.seen.size, found.seen.mtime) == now[:4]


def method_of(search: Search, group: Group) -> Method:
    """The kind of digest for which the fewest bytes of a group have to be read."""
    named = Counter(search.named[row][0] for row in group if row in search.named)
    choices: list[Method] = ["blake3", "sha256", *named]
    return max(
        choices,
        key=lambda method: (sum(_known(search, row, method) is not None for row in group), -choices.index(method)),
    )


def _known(search: Search, row: int, method: Method) -> bytes | None:
    if row in search.named and search.named[row][0] == method:
        return bytes.fromhex(search.named[row][1])
    return search.cache.get(search.seen(row), method)


def all_known(search: Search, group: Group) -> bool:
    """Whether nothing of a group has to be read."""
    method = method_of(search, group)
    return all(_known(search, row, method) is not None for row in group)


def price_of_digests(search: Search, groups: list[Group]) -> int:
    """Bytes that the phase would read."""
    found = 0
    for group in groups:
        method = method_of(search, group)
        found += search.size(group) * sum(_known(search, row, method) is None for row in group)
    return found
