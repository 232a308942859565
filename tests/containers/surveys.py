"""Surveys of a home whose variables lead to an engine."""

from __future__ import annotations

from pathlib import Path

from modelyard import api
from modelyard.inventory import Holding, Prune


def look(home: Path, **env: object) -> api.Survey:
    """A survey of the home alone with these variables."""
    return api.survey({name: str(value) for name, value in env.items()}, home, "linux", system=False)


def holding(found: api.Survey, store: str) -> Holding:
    """What a store holds."""
    return next(each for each in found.holdings if each.store.name == store)


def prune(found: api.Survey, store: str, command: str) -> Prune:
    """The cleaning command of this name."""
    return next(each for each in holding(found, store).prunes if each.command == command)
