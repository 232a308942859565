"""Puts the model card of a version beside its files."""

from __future__ import annotations

import os

from modelyard.problem import Problem
from modelyard.registry.amending import amending
from modelyard.registry.card import card
from modelyard.registry.errors import RegistryError
from modelyard.registry.layout import CARD, folder_of
from modelyard.registry.references import Reference
from modelyard.walk.read import read_file


def write_card(root: str, which: Reference) -> str:
    """The text that is there then. RegistryError where another `README.md` is there: versions only grow."""
    with amending(root, which) as (made, metadata):
        text = card(metadata)
        if CARD not in made.files:
            made.write(CARD, text.encode())
    there = read_file(os.fsencode(os.path.join(folder_of(root, which.name, which.version), CARD)))
    if isinstance(there, Problem) or there != text.encode():
        raise RegistryError(f"{which} has a {CARD} of its own", "version-exists", "it stays; save a new version")
    return text
