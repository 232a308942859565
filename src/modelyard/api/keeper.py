"""Lets no environment go before its capsule is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, field

from modelyard.apply.disk import Disk
from modelyard.apply.engine import Watch
from modelyard.capsules.freeze import write_capsule
from modelyard.plan import Freeze, Step
from modelyard.problem import Problem
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree


class Keeper(Struct):
    """Asks another watch first, and then writes what the plan wants to be written into `folder`."""

    watch: Watch
    freezes: Sequence[Freeze]
    folder: Path
    disk: Disk
    written: dict[str, Path | Problem] = field(default_factory=dict)
    """By artifact the capsule, or why there is none."""

    def look(self, tree: Tree) -> None:
        """Hands it on."""
        self.watch.look(tree)

    def why(self, step: Step) -> str:
        """The reason of the other watch, or that a capsule could not be written."""
        return self.watch.why(step) or self._unwritten(step)

    def _unwritten(self, step: Step) -> str:
        wanted = next((each for each in self.freezes if each.artifact == step.artifact), None)
        if wanted is None:
            return ""
        if step.artifact not in self.written:
            prefix = Path(os.fsdecode(bytes(wanted.prefix)))
            self.written[step.artifact] = write_capsule(prefix, self.folder, self.disk)
        found = self.written[step.artifact]
        return f"its capsule could not be written: {found.message}" if isinstance(found, Problem) else ""

    @property
    def capsules(self) -> list[str]:
        """The files that were written."""
        return [shown(str(each)) for each in self.written.values() if isinstance(each, Path)]
