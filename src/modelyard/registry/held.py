"""The files of a version, opened once: what was digested is what is loaded, whatever happens to the names meanwhile."""

from __future__ import annotations

import hashlib
import mmap as maps
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct, field

from modelyard.apply.disk import Disk
from modelyard.apply.folder import Folder, folder
from modelyard.problem import from_errno
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.metadata import FileEntry
from modelyard.walk.read import opened_below, opened_folder
from modelyard.walk.summing import Summed

PIECE = 8 << 20


class Held(Struct):
    """An open version: its folder as a descriptor, and what its metadata say of each file."""

    path: str
    folder: int
    entries: Mapping[str, FileEntry]
    private: bytes
    """Where private copies may be made for libraries that want a path."""
    own: dict[str, bytes] = field(default_factory=dict)
    """The metadata and the sums themselves, as they were when they were found to fit each other."""
    open_files: dict[str, int] = field(default_factory=dict)
    checked: set[str] = field(default_factory=set)
    stack: ExitStack = field(default_factory=ExitStack)

    def has(self, name: str) -> bool:
        """Whether the version has a file of this name."""
        return name in self.entries

    def shown(self, name: str) -> str:
        """The path of a file, for people."""
        return os.path.join(self.path, name)

    def descriptor(self, name: str) -> int:
        """The open file; its size is as the metadata say. RegistryError for one that is missing or another."""
        if name not in self.open_files:
            if name not in self.entries:
                raise RegistryError(f"{self.shown(name)} is no file of this version", "missing-file")
            try:
                found = self.stack.enter_context(opened_below(self.folder, os.fsencode(name)))
            except OSError as error:
                raise raised(from_errno(self.shown(name), error.errno or 0)) from error
            self.open_files[name] = found
            if os.fstat(found).st_size != self.entries[name].size:
                raise self._differs(name)
        return self.open_files[name]

    def content(self, name: str) -> bytearray:
        """A private copy of a file in memory, whose digest is the one that the metadata tell. RegistryError if not."""
        data = bytearray(self.entries[name].size)
        self._fill(name, memoryview(data))
        return data

    def memory(self, name: str) -> maps.mmap:
        """The same as whole pages, so that what lies in them is aligned as it is in the file, which is not empty."""
        self.descriptor(name)
        data = maps.mmap(-1, self.entries[name].size)
        self._fill(name, memoryview(data))
        return data

    def _fill(self, name: str, view: memoryview) -> None:
        """Reads all of a file, and digests each piece while the next one is read."""
        descriptor, at = self.descriptor(name), 0
        summed = Summed()
        with view, summed:
            while at < len(view):
                count = os.preadv(descriptor, [view[at : at + PIECE]], at)
                if not count:
                    break
                summed.add(view[at : at + count])
                at += count
            digest = summed.hexdigest()
        self.compare(name, digest)

    def check(self, name: str) -> int:
        """The open file, digested: its SHA-256 is the one that the metadata tell. RegistryError if not."""
        descriptor = self.descriptor(name)
        if name not in self.checked:
            found, at = hashlib.sha256(), 0
            while piece := os.pread(descriptor, PIECE, at):
                found.update(piece)
                at += len(piece)
            self.compare(name, found.hexdigest())
            self.checked.add(name)
        return descriptor

    def compare(self, name: str, digest: str) -> None:
        """RegistryError unless that is the digest of a file that the metadata tell."""
        if digest != self.entries[name].sha256:
            raise self._differs(name)

    def _differs(self, name: str) -> RegistryError:
        hint = "it was changed or damaged; `modelyard registry verify` lists what else is"
        return RegistryError(f"{self.shown(name)} is not the file that was saved", "wrong-digest", hint)

    def copied(self, names: Mapping[str, str]) -> Path:
        """A private folder with verified copies of files under other names; gone when the version is let go."""
        made: Folder = self.stack.enter_context(folder(Disk(), self.private))
        for name, other in names.items():
            made.copy(other, self.descriptor(name))
            self.compare(name, made.files[other].sha256)
        return Path(os.fsdecode(made.path))


@contextmanager
def held(path: str, entries: Mapping[str, FileEntry], private: str) -> Iterator[Held]:
    """Opens a version for as long as it is loaded. RegistryError when its folder cannot be opened."""
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(opened_folder(os.fsencode(path)))
        except OSError as error:
            raise raised(from_errno(path, error.errno or 0)) from error
        yield Held(path, descriptor, entries, os.fsencode(private), stack=stack)
