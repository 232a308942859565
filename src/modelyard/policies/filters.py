"""Choosing and ordering artifacts, as `ls` and every later verb understand it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from modelyard.inventory import Artifact

ORDERS: dict[str, Callable[[Artifact], tuple[object, ...]]] = {
    "size": lambda artifact: (-artifact.sizes.allocated, artifact.id),
    "freed": lambda artifact: (-artifact.sizes.freed, artifact.id),
    "used": lambda artifact: (artifact.last_used.at if artifact.last_used else 0, artifact.id),
    "name": lambda artifact: (artifact.id,),
}


class Filter(Struct, frozen=True):
    """What an artifact must be like. None and empty mean anything; spans and sizes in nanoseconds and bytes."""

    text: str = ""
    """A store's name, or part of an id or title."""
    kinds: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    recoveries: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    larger: int | None = None
    older: int | None = None
    """Last written before this time."""
    unused_since: int | None = None
    """Not known to have been used since this time; what nothing is known of does not fit."""

    def fits(self, artifact: Artifact) -> bool:
        """Whether the artifact is meant."""
        checks = (
            (self.kinds, artifact.kind),
            (self.stores, artifact.store),
            (self.states, artifact.state),
            (self.recoveries, artifact.recovery),
        )
        if any(wanted and value not in wanted for wanted, value in checks):
            return False
        if self.tags and not set(self.tags) & set(artifact.tags):
            return False
        if self.larger is not None and artifact.sizes.allocated < self.larger:
            return False
        return self._named(artifact) and self._old(artifact)

    def _named(self, artifact: Artifact) -> bool:
        text = self.text.lower()
        return not text or artifact.store == text or text in artifact.id.lower() or text in artifact.title.lower()

    def _old(self, artifact: Artifact) -> bool:
        used = artifact.last_used
        if self.unused_since is not None and (used is None or used.at > self.unused_since):
            return False
        return self.older is None or (artifact.written is not None and artifact.written <= self.older)


def choose(artifacts: Iterable[Artifact], wanted: Filter, order: str) -> list[Artifact]:
    """The artifacts that fit, in the order asked for: `size`, `freed`, `used` (longest ago first) or `name`.

    A text that is the name of a store means that store alone.
    """
    found = [artifact for artifact in artifacts if wanted.fits(artifact)]
    store = [artifact for artifact in found if artifact.store == wanted.text.lower()]
    return sorted(store or found, key=ORDERS[order])
