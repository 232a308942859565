"""Which version was made from which."""

from __future__ import annotations

from msgspec import Struct

from modelyard.problem import Problem
from modelyard.registry.layout import folder_of, is_folder
from modelyard.registry.loading import metadata_of
from modelyard.registry.metadata import Metadata
from modelyard.registry.references import Reference
from modelyard.registry.versions import parse

LONGEST = 1000


class Ancestor(Struct, frozen=True):
    """A version in a chain; `metadata` is None for one that is not there any more, or cannot be read."""

    reference: str
    metadata: Metadata | None
    why: str = ""


def lineage(root: str, which: Reference) -> list[Ancestor]:
    """The version, its parent, the parent of that, to the first that has none or is not there."""
    chain: list[Ancestor] = []
    text = str(which)
    while text and len(chain) < LONGEST and text not in {each.reference for each in chain}:
        found = _found(root, text)
        chain.append(found)
        text = found.metadata.parent if found.metadata else ""
    return chain


def _found(root: str, text: str) -> Ancestor:
    name, _, number = text.partition("@")
    version = parse(number)
    if version is None or not is_folder(folder_of(root, name, version)):
        return Ancestor(text, None, "it is not here any more")
    found = metadata_of(root, Reference(name, version))
    return Ancestor(text, None, found.message) if isinstance(found, Problem) else Ancestor(text, found)
