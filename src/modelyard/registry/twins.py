"""Equal files of two versions share their bytes."""

from __future__ import annotations

import os
from collections.abc import Sequence

from modelyard.apply.folder import Folder
from modelyard.problem import Problem
from modelyard.registry.layout import METADATA, is_inside
from modelyard.registry.metadata import read
from modelyard.registry.versions import Version
from modelyard.walk.compare import equal

SMALLEST = 4096
"""Bytes: less than a block saves nothing."""
LOOKED_AT = 32
"""Versions, the newest first, that are looked at."""


def share_twins(place: str, known: Sequence[Version], made: Folder) -> None:
    """Lets files of a draft have the bytes of equal files of earlier versions, compared byte for byte before."""
    wanted = {each.sha256: each.path for each in made.files.values() if each.size >= SMALLEST}
    for version in sorted(known, reverse=True)[:LOOKED_AT]:
        if not wanted:
            return
        here = os.path.join(place, f"v{version}")
        found = read(os.fsencode(os.path.join(here, METADATA)), here)
        for each in [] if isinstance(found, Problem) else found.files:
            if (
                each.sha256 in wanted
                and is_inside(each.path)
                and _shared(os.path.join(here, each.path), wanted[each.sha256], made)
            ):
                del wanted[each.sha256]


def _shared(twin: str, name: str, made: Folder) -> bool:
    try:
        if not equal(os.fsencode(twin), made.place(name)):
            return False
        made.share(name, os.fsencode(twin))
    except OSError:  # another file system, too many links, gone: then each has its own
        return False
    return True
