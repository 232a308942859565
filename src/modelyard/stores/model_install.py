"""What was found of one installed program for making images: its artifacts, its problems, and what is still free."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from modelyard.inventory import Artifact, Kind, Reading, Recovery, Root, State, Store
from modelyard.problem import Problem
from modelyard.stores.model_card import Card
from modelyard.stores.places import VARIABLE
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

MOST = 200_000
SECRET = re.compile(r"(?<=://)[^/@\s]*@|\?.*", re.DOTALL)
"""The parts of an address that may hold a token or a password."""
WORDS: Mapping[State, str] = {"partial": "unfinished or empty", "dangling": "gone", "orphan": "not in the database"}


class Known(Struct, frozen=True):
    """What a program's own files tell of models by their file names: where they came from, which are whole."""

    sources: Mapping[bytes, str]
    finished: frozenset[bytes] | None = None
    """The finished downloads, where the program keeps a list of them."""


class Install:
    """Collects the artifacts under one root. Every file and folder is taken once; links lead to what was walked."""

    def __init__(self, store: Store, root: Root, tree: Tree, known: Known | None = None) -> None:
        assert root.row is not None
        self.store, self.root, self.tree, self.base = store, root, tree, root.row
        self.known = known or Known({})
        self.state: State = "complete"
        """What a whole model is unless more is known of it."""
        self.artifacts: list[Artifact] = []
        self.problems: list[Problem] = []
        self._taken: set[int] = set()
        self._whole: set[int] = set()
        self._above: set[int] = set()
        at: int | None = root.row
        while at is not None:
            self._above.add(at)
            at = tree.parent(at)

    def reading(self) -> Reading:
        """Everything that was collected, in the order of ids."""
        return Reading(tuple(sorted(self.artifacts, key=lambda each: each.id)), tuple(self.problems))

    def child(self, *names: bytes) -> int | None:
        """The row of something in the root, by one name after the other."""
        return self.tree.child(self.base, *names)

    def take(self, row: int) -> bool:
        """Takes a file or folder; False when that was done before."""
        if row in self._taken:
            return False
        self._taken.add(row)
        return True

    def at(self, path: str, told_by: str) -> int | None:
        """The row of what a setting names; a Problem is noted where that lies outside the walk.

        None too for a folder that holds the root: all of a home is not a folder of models.
        """
        real = os.path.realpath(path)
        row = self.tree.find(real)
        unknown = VARIABLE.search(path)
        if row is None and (unknown or os.path.lexists(real)):
            words = f"{told_by} names it, and it is not among the folders that were looked at"
            place = "FOLDER, the one that the variable stands for" if unknown else shown(real)
            self.problems.append(Problem(shown(path), "outside-roots", words, f"look there too with --root {place}"))
        return None if row in self._above else row

    def resolved(self, row: int | None) -> int | None:
        """The folder or file itself behind a link; None where it dangles, is out of reach, or holds the root."""
        if row is not None and self.tree.is_link(row):
            return self.at(os.fsdecode(self.tree.path(row)), "a link")
        return row

    def too_many(self, row: int) -> bool:
        """Whether a folder holds far more than models, as one does that was linked or named by mistake."""
        entries = self.tree.totals(row).entries if self.tree.is_folder(row) else 0
        if entries > MOST:
            words = f"a folder of models with {entries:,} entries, which is left out"
            hint = "name the folder of the models themselves in the settings of its program"
            self.problems.append(Problem(shown(self.tree.path(row)), "too-many-files", words, hint))
        return entries > MOST

    def add(
        self,
        row: int,
        what: str,
        blobs: Iterable[int],
        pins: Iterable[int] = (),
        told: Card | None = None,
        state: State | None = None,
    ) -> None:
        """A model, named by the row."""
        name = self.tree.name(row)
        told = told or Card()
        source = told.source or self.known.sources.get(name, "")
        told = replace(told, name=told.name or shown(name.rpartition(b"/")[2]), source=source)
        self.model(self.tree.label(row), what, told, (tuple(blobs), tuple(pins)), state or self.state)

    def model(
        self, label: str, what: str, told: Card, rows: tuple[tuple[int, ...], tuple[int, ...]], state: State
    ) -> None:
        """A model with its blobs and pins."""
        source = SECRET.sub("", shown(told.source))
        facts = (("type", what), ("base model", told.base), ("source", source), ("sha256 by its note", told.sha256))
        words = (what, f"for {told.base}" if told.base else "", WORDS.get(state, ""))
        self.artifacts.append(
            Artifact(
                f"{self.store.name}:{label}",
                "model",
                self.store.name,
                told.name,
                self.root.path,
                *rows,
                group=self.root.path,
                state=state,
                recovery="re-get" if state == "partial" or source else "none",
                detail=", ".join(word for word in words if word),
                facts=tuple((key, text) for key, text in facts if text),
            )
        )

    def whole(self, row: int | None, title: str, recovery: Recovery = "none", kind: Kind = "other") -> None:
        """A folder or file as one artifact: what was made, what goes in, what can be made again."""
        row = self.resolved(row)
        empty = row is None or (self.tree.is_folder(row) and not self.tree.children(row))
        if row is not None and not empty and not self._inside(row) and self.take(row):
            self._whole.add(row)
            name = f"{self.store.name}:{self.tree.label(row)}"
            group = self.root.path
            self.artifacts.append(
                Artifact(name, kind, self.store.name, title, group, (row,), group=group, recovery=recovery)
            )

    def _inside(self, row: int) -> bool:
        """Whether a folder above is one artifact already."""
        at = self.tree.parent(row)
        while at is not None and at not in self._whole:
            at = self.tree.parent(at)
        return at is not None

    def unfinished(self, row: int | None) -> None:
        """Everything in a folder of downloads under way."""
        row = self.resolved(row)
        for _, each in sorted(self.tree.children(row).items()) if row is not None else ():
            if self.take(each):
                self.add(each, "download", (each,), state="partial")
