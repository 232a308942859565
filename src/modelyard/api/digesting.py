"""The phase that reads: every byte of files that nothing else could tell apart, unless it is known what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from modelyard.api.equality import SMALL, Group, Search, parted
from modelyard.problem import Problem
from modelyard.walk.hash import Hashed, Method, hash_files, hasher

BATCH = 8 << 20
MOST_FILES = 4096
"""Bytes and files that are read together, once while the others are digested."""


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
    rows = [row for row in methods if row not in known]
    small = [row for row in rows if search.entry(row).size < SMALL]
    _read_small(search, small, methods, settle)
    _read_large(search, [row for row in rows if search.entry(row).size >= SMALL], methods, settle)
    return [list(each.rows) for each in search.equal]


Settle = Callable[[int, bytes | None], None]


def _read_small(search: Search, rows: list[int], methods: dict[int, Method], settle: Settle) -> None:
    """While one batch is digested the next is read."""
    batches = list(_batches(search, rows))
    with ThreadPoolExecutor(1) as reader:
        futures = [reader.submit(lambda batch: list(search.tree.contents(batch)), batch) for batch in batches[:1]]
        for number, batch in enumerate(batches):
            contents = futures.pop().result()
            if number + 1 < len(batches):
                futures.append(reader.submit(lambda batch: list(search.tree.contents(batch)), batches[number + 1]))
            for row, content in zip(batch, contents, strict=True):
                if content is None:
                    settle(row, None)
                    continue
                found = hasher(methods[row], len(content))
                found.update(content)
                search.read += len(content)
                settle(row, found.digest())
            search.say(f"{sum(map(len, batches[: number + 1])):,} of {len(rows):,} small files")


def _batches(search: Search, rows: list[int]) -> Iterable[list[int]]:
    batch: list[int] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += search.entry(row).size
        if size >= BATCH or len(batch) >= MOST_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


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
    if search.size(group) < SMALL:  # cheap to read, and so many that looking for a better kind would take longer
        return named.most_common(1)[0][0] if named else "blake3"
    choices: list[Method] = ["blake3", "sha256", *named]
    return max(
        choices,
        key=lambda method: (sum(_known(search, row, method) is not None for row in group), -choices.index(method)),
    )


def _known(search: Search, row: int, method: Method) -> bytes | None:
    if row in search.named and search.named[row][0] == method:
        return bytes.fromhex(search.named[row][1])
    return search.cache.get(search.seen(row), method) if search.entry(row).size >= SMALL else None


def all_known(search: Search, group: Group) -> bool:
    method = method_of(search, group)
    return all(_known(search, row, method) is not None for row in group)


def price_of_digests(search: Search, groups: list[Group]) -> int:
    found = 0
    for group in groups:
        method = method_of(search, group)
        found += search.size(group) * sum(_known(search, row, method) is None for row in group)
    return found
