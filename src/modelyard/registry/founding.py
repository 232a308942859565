"""Makes the folder of a registry: a marker by which it is recognised, and a `.gitignore`."""

from __future__ import annotations

import os
import secrets

from modelyard.apply.disk import Disk
from modelyard.apply.folder import make_folders
from modelyard.apply.whole import draft
from modelyard.registry.errors import RegistryError
from modelyard.registry.gitignore import gitignore
from modelyard.registry.layout import MARKER

TEXT = b'{"schema_version": "1.0", "what": "a registry of models, kept by modelyard"}\n'


def found(disk: Disk, root: str) -> list[str]:
    """Makes what is missing; the paths that were made. RegistryError where a file is in the way."""
    if os.path.lexists(root) and not os.path.isdir(root):
        raise RegistryError(f"{root} is no folder", "not-a-folder", "name another place")
    make_folders(disk, os.fsencode(root))
    made = []
    for name, data in ((MARKER, TEXT), (".gitignore", gitignore().encode())):
        if not os.path.lexists(os.path.join(root, name)):
            with draft(disk, os.fsencode(root), secrets.token_hex(8).encode(), mode=0o666) as file:
                file.write(data)
                try:
                    file.keep(os.fsencode(name))
                except FileExistsError:  # another one founds it too
                    continue
            made.append(os.path.join(root, name))
    return made
