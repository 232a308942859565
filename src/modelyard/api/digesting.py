"""The phase that reads: every byte of files that nothing else could tell apart, unless it is known what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from blake3 import blake3

from modelyard.api.equality import SMALL, Group, Search, parted
from modelyard.problem import Problem
from modelyard.walk.hash import Hashed, Method, hash_files
from modelyard.walk.tree import Tree

BATCH = 8 << 20
MOST_FILES = 4096
"""Bytes and files that are read together, once while the others are digested."""


def by_digest(search: Search, groups: list[Group]) -> list[Group]:
    """Every byte of what is left; names and what was read before save a reading."""
    _small(search, [group for group in groups if search.size(group) < SMALL])
    _large(search, [group for group in groups if search.size(group) >= SMALL])
    return [list(each.rows) for each in search.equal]


def _small(search: Search, groups: list[Group]) -> None:
    """Files that are read many at a time: while one batch is digested the next is read."""
    batches = list(_batches(search, groups))
    same: dict[bytes, Group] = {}
    whole, done, broken_off = sum(map(len, groups)), 0, 0
    with ThreadPoolExecutor(1) as reader:
        try:
            futures = [reader.submit(_contents, search.tree, batch) for batch in batches[:1]]
            for number, batch in enumerate(batches):
                contents, broken_off = futures.pop().result(), search.entry(batch[-1]).size
                if number + 1 < len(batches):
                    futures.append(reader.submit(_contents, search.tree, batches[number + 1]))
                for row, content in zip(batch, contents, strict=True):
                    if content is not None:
                        same.setdefault(blake3(content).digest(), []).append(row)
                        search.read += len(content)
                done += len(batch)
                search.say(f"{done:,} of {whole:,} small files")
            broken_off = 0
        finally:  # a size of which not all was read tells nothing yet
            for rows in same.values():
                if len(rows) > 1 and search.size(rows) != broken_off:
                    search.found(rows, "read")


def _contents(tree: Tree, batch: list[int]) -> list[memoryview | None]:
    return list(tree.contents(batch))


def _batches(search: Search, groups: list[Group]) -> Iterable[list[int]]:
    """Rows, no more at once than may be in memory."""
    batch: list[int] = []
    left = BATCH
    for group in groups:
        size = search.size(group)
        for row in group:
            batch.append(row)
            left -= size
            if left <= 0 or len(batch) >= MOST_FILES:
                yield batch
                batch, left = [], BATCH
    if batch:
        yield batch


def _large(search: Search, groups: list[Group]) -> None:
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
    _read_large(search, [row for row in methods if row not in known], methods, settle)


Settle = Callable[[int, bytes | None], None]


def _read_large(search: Search, rows: list[int], methods: dict[int, Method], settle: Settle) -> None:
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
        if search.size(group) < SMALL:
            found += search.size(group) * len(group)
            continue
        method = method_of(search, group)
        found += search.size(group) * sum(_known(search, row, method) is None for row in group)
    return found
