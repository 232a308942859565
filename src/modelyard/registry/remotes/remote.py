"""What a place outside of a registry must be able to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from modelyard.apply.folder import Folder
from modelyard.registry.errors import RegistryError
from modelyard.registry.held import Held
from modelyard.registry.metadata import Metadata
from modelyard.registry.references import Reference
from modelyard.registry.versions import Version, latest, parse, wanted, within

CAP = 16 << 20
"""Bytes that metadata and sums may have, wherever they lie."""


class Pushed(Struct, frozen=True):
    """Where a version lies now, its files there, and how their SHA-256 was verified after they were sent."""

    address: str
    files: tuple[str, ...]
    verified: str


class Source(Protocol):
    """A version at such a place."""

    @property
    def address(self) -> str:
        """For people."""

    def read(self, name: str) -> bytes | None:
        """A small file, None where it is not there. RegistryError for one above CAP."""

    def fetch(self, name: str, size: int, made: Folder) -> None:
        """Brings a file into a draft, where it is digested; never more bytes than `size`. RegistryError if it fails."""


class Remote(Protocol):
    """Such a place. Every error of its client is a RegistryError with the code `remote`."""

    def send(self, files: Held, metadata: Metadata, which: Reference) -> Pushed:
        """Puts a version there, verified. RegistryError `version-exists` where another one is in its place."""

    def find(self, name: str | None) -> Source:
        """The version that the address means, or `name`, `name@1.0.0`, `name@^1` in it. RegistryError for none."""


def failed(address: str, error: BaseException, hint: str = "") -> RegistryError:
    """An error of a client, in words."""
    told = str(error).strip().splitlines()
    return RegistryError(f"{address}: {(told or [type(error).__name__])[0][:300]}", "remote", hint)


def taken(address: str, which: Reference) -> RegistryError:
    """Another version of the same number is there."""
    hint = "versions never change: save it as the next one"
    return RegistryError(f"{address} holds another {which}", "version-exists", hint)


def too_large(address: str, size: int) -> RegistryError:
    """A file that is not as long as the metadata say."""
    return RegistryError(f"{address} is not the file that was saved: {size:,} bytes", "wrong-digest")


def chosen(names: Iterable[str], which: str) -> Version | None:
    """The version among the folders of a model that an exact number, a range or `latest` means."""
    known = sorted(found for each in names if each[:1] == "v" and (found := parse(each)) is not None)
    if which in ("", "latest"):
        return latest(known)
    exact = parse(which)
    if exact is not None:
        return exact if exact in known else None
    bounds = wanted(which)
    return None if bounds is None else within(known, which, bounds)
