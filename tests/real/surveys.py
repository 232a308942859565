"""Asking a survey short questions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from modelyard import api
from modelyard.inventory import Artifact


def survey(home: Path, env: Mapping[str, str] | None = None, *roots: Path) -> api.Survey:
    """What modelyard sees in a home, without the places of the machine."""
    return api.survey(env or {}, home, "linux", roots, system=False)


def by_id(seen: api.Survey, store: str) -> dict[str, Artifact]:
    """The artifacts of one store."""
    return {each.id: each for each in seen.artifacts if each.store == store}


def paths(seen: api.Survey, rows: tuple[int, ...]) -> set[Path]:
    """Where rows of the tree are."""
    return {Path(os.fsdecode(seen.tree.path(row))) for row in rows}


def codes(seen: api.Survey) -> list[str]:
    """The codes of all problems."""
    return [problem.code for problem in seen.problems]
