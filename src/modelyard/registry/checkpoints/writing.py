"""Writes a snapshot as a folder that appears whole under its name, and lets the superfluous ones go."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from modelyard.apply.disk import Disk
from modelyard.apply.folder import Folder, folder
from modelyard.apply.rotating import retire, settle
from modelyard.registry import tensors
from modelyard.registry.checkpoints.errors import CheckpointError
from modelyard.registry.checkpoints.keeping import Kept, Rule, superfluous
from modelyard.registry.checkpoints.saved import STATE, SUMS, look, name_of, saved_in
from modelyard.registry.checkpoints.snapshot import Snapshot

SUFFIX = ".safetensors"


def write(disk: Disk, place: Path, snapshot: Snapshot, rule: Rule | None) -> Path:
    """Writes a checkpoint, on the medium when this returns, then rotates; without a rule everything stays.

    A step that is there is replaced at once. OSError when the disk cannot take it: then all is as it was.
    """
    path = place / name_of(snapshot.step)
    refuse(path)
    with folder(disk, os.fsencode(place)) as draft:
        for name, shelf in snapshot.shelves.items():
            if shelf.arrays:
                with draft.stream(name + SUFFIX) as out:
                    tensors.write(out, shelf.arrays, {**shelf.tied, "format": "pt"})
        for name, text in snapshot.texts.items():
            draft.write(name, text.encode())
        draft.write(STATE, snapshot.text({each.path: each.size for each in draft.files.values()}))
        draft.write(SUMS, _sums(draft))
        settle(disk, draft, os.fsencode(path))
    if rule is not None:
        rotate(disk, place, rule, path.name)
    return path


def refuse(path: Path) -> None:
    """CheckpointError where something lies under the name that must not be replaced."""
    if not os.path.lexists(path):
        return
    found = look(path)
    if found is None and os.path.lexists(path):  # another writer may have let it go by now
        raise CheckpointError(f"{path} is there and no checkpoint of ours", "exists", "move it away")
    if found is not None and found.pinned:
        raise CheckpointError(f"{path} is pinned", "pinned", "remove its .modelyard-keep to replace it")


def _sums(draft: Folder) -> bytes:
    return b"".join(b"%s  %s\n" % (each.sha256.encode(), each.path.encode()) for each in draft.files.values())


def rotate(disk: Disk, place: Path, rule: Rule, newest: str) -> None:
    """Removes what the rule does not keep; what is damaged, pinned or of a newer modelyard is left alone."""
    whole = [each for each in saved_in(place) if not each.trouble]
    found = [Kept(each.path.name, each.step, each.metrics.get(rule.metric), each.pinned) for each in whole]
    for each in superfluous(found, rule, newest):
        try:
            retire(disk, os.fsencode(place / each.name))
        except OSError as error:
            warnings.warn(f"{place / each.name} could not be removed: {error.strerror}", stacklevel=3)
