"""Asking a survey short questions."""

from __future__ import annotations

from pathlib import Path

import oracle
from modelyard import api
from modelyard.inventory import Artifact


def look(home: Path) -> api.Survey:
    """A survey of the home alone."""
    return api.survey({}, home, "linux", system=False)


def ids(found: api.Survey, store: str) -> set[str]:
    """The ids of a store."""
    return {each.id for each in found.artifacts if each.store == store}


def get(found: api.Survey, name: str) -> Artifact:
    """One artifact."""
    return next(each for each in found.artifacts if each.id == name)


def held(home: Path) -> int:
    """Allocated bytes of everything in a home."""
    return oracle.sums(oracle.below(home)).allocated
