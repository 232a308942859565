"""Who claims which rows of the tree, so that removing one thing never counts bytes that another needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from modelyard.inventory import Part, Sizes
from modelyard.walk.tree import Measured, Tree


class Claims:
    """Rows claimed by numbered owners. Rows may nest: a folder of one owner may hold a file of another.

    Within one group (a store) the narrower claim wins: a half download inside the folder of downloads is its own
    thing. Between groups both need the bytes.
    """

    def __init__(
        self,
        tree: Tree,
        rows_of: Sequence[Collection[int]],
        group_of: Sequence[str],
        parts_of: Sequence[Collection[Part]] = (),
    ) -> None:
        self._tree = tree
        self._parts_of = parts_of
        self._holders: dict[str, set[int]] = {}
        for owner, parts in enumerate(parts_of):
            for part in parts:
                self._holders.setdefault(part.name, set()).add(owner)
        self._rows_of = rows_of
        self._group_of = group_of
        self._owners: dict[int, list[int]] = {}
        self._above: dict[int | None, int | None] = {None: None}
        self._inside: dict[int, list[int]] = {}
        for owner, rows in enumerate(rows_of):
            for row in rows:
                self._owners.setdefault(row, []).append(owner)
        for row in self._owners:
            holder = self._claimed_at_or_above(tree.parent(row))
            if holder is not None:
                self._inside.setdefault(holder, []).append(row)

    def _claimed_at_or_above(self, row: int | None) -> int | None:
        """The nearest claimed row at or above a folder; remembered for every folder on the way."""
        way = []
        while row not in self._above and row not in self._owners:
            way.append(row)
            row = self._tree.parent(row) if row is not None else None
        found = row if row in self._owners else self._above[row]
        for passed in way:
            self._above[passed] = found
        return found

    def _held_by_others(self, row: int, owners: Collection[int]) -> bool:
        """Whether somebody else claims the row, or another group a folder above it."""
        if any(owner not in owners for owner in self._owners[row]):
            return True
        groups = {self._group_of[owner] for owner in self._owners[row]}
        at = self._claimed_at_or_above(self._tree.parent(row))
        while at is not None:
            if any(owner not in owners and self._group_of[owner] not in groups for owner in self._owners[at]):
                return True
            at = self._claimed_at_or_above(self._tree.parent(at))
        return False

    def _needed_inside(self, row: int, owners: Collection[int]) -> list[int]:
        """Rows below a claimed folder that somebody else claims."""
        needed = []
        for inner in self._inside.get(row, ()):
            if any(owner not in owners for owner in self._owners[inner]):
                needed.append(inner)
            else:
                needed += self._needed_inside(inner, owners)
        return needed

    def removable(self, owners: Collection[int]) -> list[int]:
        """The rows that can go with the owners, none inside another: folders give way around what others need."""
        own = {row for row in self.rows(owners) if not self._held_by_others(row, owners)}
        found = []
        for row in own:
            if not self._below_any(row, own):
                found += self._without(row, set(self._needed_inside(row, owners)))
        return found

    def _below_any(self, row: int, rows: Collection[int]) -> bool:
        above = self._tree.parent(row)
        while above is not None:
            if above in rows:
                return True
            above = self._tree.parent(above)
        return False

    def _without(self, row: int, kept: set[int]) -> list[int]:
        """The row, or what is below it but for the kept rows and the folders that hold them."""
        way: set[int] = set()
        for each in kept:
            at = self._tree.parent(each)
            while at is not None and at != row:
                way.add(at)
                at = self._tree.parent(at)
        if not kept:
            return [row]
        found, waiting = [], [row]
        while waiting:
            for each in self._tree.children(waiting.pop()).values():
                if each in way:
                    waiting.append(each)
                elif each not in kept:
                    found.append(each)
        return found

    def rows(self, owners: Collection[int]) -> set[int]:
        """Everything that the owners claim."""
        return {row for owner in owners for row in self._rows_of[owner]}

    def all(self) -> list[int]:
        """Every claimed row."""
        return list(self._owners)

    def owners_of(self, row: int) -> list[int]:
        """Who claims the row or the nearest folder above it."""
        holder = row if row in self._owners else self._claimed_at_or_above(self._tree.parent(row))
        return self._owners[holder] if holder is not None else []

    def measure(self, owners: Collection[int]) -> Measured:
        """The owners' bytes; freed counts only what nobody else claims."""
        measured = self._measure_rows(owners)
        parts = {part.name: part for owner in owners for part in self._parts_of[owner]} if self._parts_of else {}
        return measured._replace(sizes=self._with_parts(measured.sizes, parts.values(), owners)) if parts else measured

    def _with_parts(self, sizes: Sizes, parts: Collection[Part], owners: Collection[int]) -> Sizes:
        """Sizes with the parts that services keep, which come back only when every holder goes."""
        held = sum(part.size for part in parts)
        going = set(owners)
        freed = sum(part.size for part in parts if self._holders[part.name] <= going)
        exact = sizes.exact and all(part.exact for part in parts)
        return Sizes(sizes.apparent + held, sizes.allocated + held, sizes.freed + freed, exact, sizes.entries)

    def _measure_rows(self, owners: Collection[int]) -> Measured:
        rows = self.rows(owners)
        own = [row for row in rows if not self._held_by_others(row, owners)]
        kept = [inner for row in rows for inner in self._needed_inside(row, owners)]
        whole = self._tree.measure(rows)
        if len(own) == len(rows) and not kept:
            return whole
        alone = self._tree.measure(own, kept).sizes
        sizes = whole.sizes
        return whole._replace(
            sizes=type(sizes)(sizes.apparent, sizes.allocated, alone.freed, alone.exact, sizes.entries)
        )
