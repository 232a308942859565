"""Adds files to a version that is there, an export or a card: what was saved stays as it is, byte for byte."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.apply.disk import Disk
from modelyard.apply.folder import Folder, Made, exclusive, folder
from modelyard.problem import Problem
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.layout import folder_of
from modelyard.registry.loading import metadata_of
from modelyard.registry.metadata import Metadata
from modelyard.registry.references import Reference
from modelyard.registry.saving import seal


@contextmanager
def amending(root: str, which: Reference) -> Iterator[tuple[Folder, Metadata]]:
    """A draft with all files of a version, and its metadata; files may be added, and metadata changed.

    The draft takes the place of the version in one step when the work ends well; one writer after the other.
    RegistryError where the version cannot be read, and for files that are not those that were saved.
    """
    disk, place = Disk(), os.fsencode(folder_of(root, which.name))
    with exclusive(place):
        metadata = metadata_of(root, which)
        if isinstance(metadata, Problem):
            raise raised(metadata)
        target = folder_of(root, which.name, which.version)
        before = list(metadata.files)
        with folder(disk, place) as made:
            for each in metadata.files:
                known = Made(each.path, each.size, each.sha256)
                made.adopt(each.path, os.fsencode(os.path.join(target, each.path)), known)
            yield made, metadata
            now = {each.path: each.sha256 for each in made.files.values()}
            changed = next((each.path for each in before if now.get(each.path) != each.sha256), "")
            if changed:
                raise RegistryError(f"{which}: {changed} would change; versions only grow", "version-exists")
            seal(made, metadata)
            made.exchange(os.fsencode(target))
