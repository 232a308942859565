"""Places on other disks and in object stores where archives are kept; every error of theirs is an OSError.

A name on a shelf has slashes and holds bytes. What was put is only there when `put` came back, and what is read again
comes from the place itself, not from a memory of what was sent.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Protocol
from urllib.parse import urlsplit

from modelyard.owners.https import named

PIECE = 4 << 20
EXTRA = "this address needs fsspec: install `modelyard[fsspec]`, and what fsspec asks for beside it"


class Shelf(Protocol):
    """A place that keeps bytes by name."""

    @property
    def where(self) -> str:
        """Its address, without secrets."""
        ...

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Keeps the pieces under a name, over what was there. OSError when it is not kept whole."""
        ...

    def get(self, name: str) -> Iterator[bytes]:
        """What is kept, a piece at a time. FileNotFoundError where there is nothing."""
        ...

    def drop(self, name: str) -> None:
        """Takes away what is kept under a name, if anything is."""
        ...


class _AsOSError:
    """Makes every failure of somebody else's library an OSError, with its words."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, OSError | KeyboardInterrupt):
            raise OSError(errno.EIO, f"{type(error).__name__}: {str(error)[:300]}") from error


class Remote:
    """A folder of an object store, or of whatever else fsspec reaches."""

    def __init__(self, url: str) -> None:
        """OSError where the address is not understood or its library is not installed."""
        if "@" in urlsplit(url).netloc:
            raise OSError(errno.EINVAL, "an address with a password in it: leave it to the settings of its store")
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise OSError(errno.ENOPKG, EXTRA) from error
        with _AsOSError():
            try:
                self._system, self._folder = url_to_fs(url)
            except ImportError as error:
                raise OSError(errno.ENOPKG, f"{EXTRA}: {error}") from error
        self.where = named(url).rstrip("/")

    def _path(self, name: str) -> str:
        return posixpath.join(self._folder, name)

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Sends the pieces; half an object is taken away again."""
        path = self._path(name)
        done = False
        with _AsOSError():
            self._system.makedirs(posixpath.dirname(path), exist_ok=True)
            file = self._system.open(path, "wb", block_size=max(PIECE, 8 << 20))
            try:
                for piece in pieces:
                    file.write(piece)
                done = True
            finally:
                if done:
                    file.close()
                elif hasattr(file, "discard"):
                    file.discard()
            self._system.invalidate_cache()

    def get(self, name: str) -> Iterator[bytes]:
        """Fetches it again."""
        with _AsOSError(), self._system.open(self._path(name), "rb", block_size=PIECE) as file:
            while piece := file.read(PIECE):
                yield piece

    def drop(self, name: str) -> None:
        """Removes the object where it is there."""
        with _AsOSError():
            self._system.invalidate_cache()
            if self._system.exists(self._path(name)):
                self._system.rm_file(self._path(name))
