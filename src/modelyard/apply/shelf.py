"""A folder on another disk where archives are kept: what is put there is whole and on the medium, or not there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from modelyard.apply.disk import Disk
from modelyard.apply.trash import remove_tree
from modelyard.apply.whole import draft
from modelyard.walk.blocks import blocks
from modelyard.walk.read import opened


class Folder:
    """A folder of this machine; those below it are made where they are missing."""

    def __init__(self, disk: Disk, path: bytes) -> None:
        self._disk, self._path = disk, path

    @property
    def where(self) -> str:
        """Its path."""
        return os.fsdecode(self._path)

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Writes a file, over one of that name. OSError when it is not whole on the medium; nothing is left then."""
        path = os.path.join(self._path, name.encode())
        with draft(self._disk, os.path.dirname(path), b"archive") as made:
            for piece in pieces:
                made.write(piece)
            made.keep(os.path.basename(path), over=True)

    def get(self, name: str) -> Iterator[bytes]:
        """The file as the medium gives it: what the system remembers of it is forgotten first."""
        with opened(os.path.join(self._path, name.encode())) as descriptor:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            for block in blocks(descriptor):
                yield bytes(block)

    def drop(self, name: str) -> None:
        """Removes the file where it is there."""
        path = os.path.join(self._path, name.encode())
        if os.path.lexists(path):
            remove_tree(self._disk, path)
