"""Copies the files of a version out of the registry; only what was verified gets its name."""

from __future__ import annotations

import os

from modelyard.apply.disk import Disk
from modelyard.apply.folder import folder
from modelyard.registry.errors import RegistryError
from modelyard.registry.loading import opened
from modelyard.registry.references import Reference


def copy_out(root: str, which: Reference, target: str) -> list[str]:
    """Every file of a version in a new folder, which is there whole or not at all. RegistryError where there is one."""
    if os.path.lexists(target):
        raise RegistryError(f"{target} is there already", "exists", "name a new folder")
    above = os.fsencode(os.path.dirname(target))
    with opened(root, which) as (files, _), folder(Disk(), above, mode=0o666) as made:
        for name, text in files.own.items():
            made.write(name, text)
        for name in files.entries:
            made.copy(name, files.descriptor(name))
            files.compare(name, made.files[name].sha256)
        try:
            made.keep(os.fsencode(target))
        except FileExistsError as error:
            raise RegistryError(f"{target} is there already", "exists", "name a new folder") from error
        return sorted(made.files)
