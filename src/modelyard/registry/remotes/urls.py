"""Every store that fsspec knows as a place for versions: S3, Google Cloud, Azure, SFTP, memory."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from modelyard.apply.folder import Folder
from modelyard.registry.errors import RegistryError
from modelyard.registry.held import Held
from modelyard.registry.layout import METADATA, SUMS, checked
from modelyard.registry.metadata import Metadata
from modelyard.registry.references import Reference
from modelyard.registry.remotes.remote import CAP, Pushed, Source, chosen, failed, taken, too_large

PIECE = 16 << 20
"""Bytes that are asked for at once."""
CLIENTS = (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError"), ("requests", "RequestException"))
"""Errors of clients that are no OSError, where those clients are loaded."""
HOW = "read back"


@contextmanager
def _asking(address: str) -> Iterator[None]:
    """What a client complains of becomes an error of ours."""
    loaded = [(sys.modules[module], name) for module, name in CLIENTS if module in sys.modules]
    theirs = tuple(getattr(module, name) for module, name in loaded if hasattr(module, name))
    try:
        yield
    except (OSError, ValueError, TimeoutError, *theirs) as error:
        raise failed(address, error, "check the address, the keys and the connection, then run it again") from error


class UrlSource:
    """A version at a URL."""

    def __init__(self, fs: Any, path: str) -> None:
        self.fs, self.path = fs, path.rstrip("/")
        self.address = str(fs.unstrip_protocol(self.path))

    def read(self, name: str) -> bytes | None:
        """A small file of it."""
        size = self._size(name)
        if size is None:
            return None
        if size > CAP:
            raise too_large(f"{self.address}/{name}", size)
        return b"".join(self._pieces(name, size))

    def _size(self, name: str) -> int | None:
        with _asking(f"{self.address}/{name}"):
            try:
                return int(self.fs.info(f"{self.path}/{name}")["size"] or 0)
            except FileNotFoundError:
                return None

    def _pieces(self, name: str, size: int) -> Iterator[bytes]:
        """The file a piece at a time, so many bytes and no more. RegistryError for one that ends before."""
        for at in range(0, size, PIECE):
            with _asking(f"{self.address}/{name}"):
                piece = bytes(self.fs.cat_file(f"{self.path}/{name}", start=at, end=min(at + PIECE, size)))
            if len(piece) != min(PIECE, size - at):
                raise RegistryError(f"{self.address}/{name} ends after {at + len(piece):,} bytes", "wrong-digest")
            yield piece

    def fetch(self, name: str, size: int, made: Folder) -> None:
        """The file, digested while it comes."""
        there = self._size(name)
        if there is None:
            raise RegistryError(f"{self.address}/{name} is not there", "missing-file", "push the version again")
        if there != size:
            raise too_large(f"{self.address}/{name}", there)
        with made.stream(name) as stream:
            for piece in self._pieces(name, size):
                stream.write(piece)

    def verify(self, name: str, size: int, sha256: str) -> None:
        """Reads a file back. RegistryError unless it is the one that was sent."""
        read, there = hashlib.sha256(), self._size(name)
        for piece in self._pieces(name, size) if there == size else ():
            read.update(piece)
        if there != size or read.hexdigest() != sha256:
            hint = "the store keeps something else, or another push was there first: remove it there, and run it again"
            raise RegistryError(f"{self.address}/{name} is not the file that was sent", "wrong-digest", hint)


class UrlRemote:
    """A URL below which models lie by name and version."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        try:
            import fsspec
        except ImportError as error:
            raise RegistryError(f"{url} needs fsspec", "not-installed", "pip install 'modelyard[fsspec]'") from error
        try:
            with _asking(url):
                fs, path = fsspec.core.url_to_fs(url, **options)
                fs.invalidate_cache()
        except ImportError as error:
            raise RegistryError(f"{url}: {error}", "not-installed") from error
        self.here = UrlSource(fs, path)

    def _below(self, *parts: str) -> UrlSource:
        return UrlSource(self.here.fs, "/".join((self.here.path, *parts)))

    def find(self, name: str | None) -> Source:
        """The URL itself where it is a version, else what the name means below it."""
        if self.here.read(SUMS) is not None:
            return self.here
        if name is None:
            hint = "name the model below it, or the URL of one version"
            raise RegistryError(f"{self.here.address} is no version: it has no {SUMS}", "no-version", hint)
        model, _, which = name.partition("@")
        below = self._below(checked(model))
        with _asking(below.address):
            try:
                names = [str(each).rstrip("/").rpartition("/")[2] for each in below.fs.ls(below.path, detail=False)]
            except FileNotFoundError:
                names = []
        version = chosen(names, which)
        if version is None:
            hint = ", ".join(sorted(names)[:8]) or "there is no such model"
            raise RegistryError(f"{self.here.address} has no {name!r}", "no-version", hint)
        return self._below(model, f"v{version}")

    def send(self, files: Held, metadata: Metadata, which: Reference) -> Pushed:
        """The files first, then the metadata, the sums at last: until those are there, it is no version."""
        there = self._below(which.name, f"v{which.version}")
        known = there.read(SUMS)
        if known is not None and known != files.own[SUMS]:
            raise taken(there.address, which)
        for name in files.entries:
            files.check(name)
        for name, entry in files.entries.items():
            if known is None:
                self._put(there, name, files.shown(name), which)
            there.verify(name, entry.size, entry.sha256)
        for name in (METADATA, SUMS):
            text = files.own[name]
            if known is None:
                self._put(there, name, text, which)
            there.verify(name, len(text), hashlib.sha256(text).hexdigest())
        return Pushed(there.address, (*sorted(files.entries), METADATA, SUMS), HOW)

    def _put(self, there: UrlSource, name: str, what: str | bytes, which: Reference) -> None:
        """A file, or a text, where nobody has put one: another who pushes meanwhile loses nothing.

        What a push that broke left there stays, and is verified like all others. RegistryError for other sums.
        """
        path = f"{there.path}/{name}"
        with _asking(f"{there.address}/{name}"):
            try:
                if isinstance(what, str):
                    there.fs.put_file(what, path, mode="create")
                else:
                    there.fs.pipe_file(path, what, mode="create")
            except FileExistsError as error:
                if name == SUMS:
                    raise taken(there.address, which) from error
