"""A folder as a place for versions: a registry itself, found by every verb of ours with `--registry`."""

from __future__ import annotations

import hashlib
import os

from modelyard.apply.disk import Disk
from modelyard.apply.folder import Folder
from modelyard.problem import Problem, from_errno
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.founding import found
from modelyard.registry.held import Held
from modelyard.registry.layout import SUMS, folder_of
from modelyard.registry.metadata import Metadata
from modelyard.registry.references import Reference, resolve
from modelyard.registry.remotes.remote import CAP, Pushed, Source, taken, too_large
from modelyard.registry.saving import drafted
from modelyard.walk.read import opened, pieces, read_file

HOW = "read back"


class FolderSource:
    """A version in a folder."""

    def __init__(self, path: str) -> None:
        self.address = path

    def read(self, name: str) -> bytes | None:
        """A small file of it."""
        data = read_file(os.fsencode(os.path.join(self.address, name)), CAP)
        if isinstance(data, Problem):
            if data.code == "vanished":
                return None
            raise raised(data)
        return data

    def fetch(self, name: str, size: int, made: Folder) -> None:
        """A copy."""
        path = os.path.join(self.address, name)
        try:
            with opened(os.fsencode(path)) as descriptor:
                if (there := os.fstat(descriptor).st_size) != size:
                    raise too_large(path, there)
                made.copy(name, descriptor)
        except FileNotFoundError as error:
            raise raised(from_errno(path, error.errno or 0)) from error


class FolderRemote:
    """A folder that holds, or will hold, models by name and version."""

    def __init__(self, path: str) -> None:
        self.path = path

    def find(self, name: str | None) -> Source:
        """The folder itself where it is a version, else what the name means in it."""
        if os.path.lexists(os.path.join(self.path, SUMS)):
            return FolderSource(self.path)
        if name is None:
            hint = "name the model in it, or the folder of one version"
            raise RegistryError(f"{self.path} is no version: it has no {SUMS}", "no-version", hint)
        meant = resolve(self.path, name)
        return FolderSource(folder_of(self.path, meant.name, meant.version))

    def send(self, files: Held, metadata: Metadata, which: Reference) -> Pushed:
        """A copy in the same layout, there whole or not at all."""
        target = folder_of(self.path, which.name, which.version)
        pushed = Pushed(target, (*sorted(files.entries), *sorted(files.own)), HOW)
        if os.path.lexists(target):
            _same(FolderSource(target), files, which)
            return pushed
        found(Disk(), self.path)
        with drafted(Disk(), self.path, which.name) as made:
            for name, text in files.own.items():
                made.write(name, text)
            for name in files.entries:
                made.copy(name, files.descriptor(name))
                files.compare(name, _digest(made.place(name)))
            try:
                made.keep(os.fsencode(target))
            except FileExistsError as error:
                raise taken(target, which) from error
        return pushed


def _same(there: FolderSource, files: Held, which: Reference) -> None:
    """RegistryError unless what is there is that version, every byte of it."""
    if there.read(SUMS) != files.own[SUMS]:
        raise taken(there.address, which)
    for name in files.entries:
        path = os.path.join(there.address, name)
        try:
            files.compare(name, _digest(os.fsencode(path)))
        except OSError as error:
            raise raised(from_errno(path, error.errno or 0)) from error


def _digest(path: bytes) -> str:
    read = hashlib.sha256()
    for piece in pieces(path, CAP):
        read.update(piece)
    return read.hexdigest()
