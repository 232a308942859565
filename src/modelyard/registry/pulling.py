"""A version from elsewhere: every file digested before the version appears, its metadata kept byte for byte."""

from __future__ import annotations

import hashlib
import os

from msgspec import Struct

from modelyard.apply.disk import Disk
from modelyard.problem import Problem
from modelyard.registry import metadata as texts
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.layout import METADATA, SUMS, checked, folder_of, is_inside, versions_in
from modelyard.registry.loading import opened
from modelyard.registry.metadata import Metadata
from modelyard.registry.references import Reference
from modelyard.registry.remotes.remote import Source, taken
from modelyard.registry.saving import drafted, given
from modelyard.registry.sums import parsed
from modelyard.registry.twins import share_twins


class Offered(Struct, frozen=True):
    """A version elsewhere: what it is, and the two files that tell of all others."""

    which: Reference
    metadata: Metadata
    own: dict[str, bytes]


def offered(source: Source) -> Offered:
    """What a place offers. RegistryError where that is no version, or where metadata and sums do not fit each other."""
    own = {}
    for name in (METADATA, SUMS):
        text = source.read(name)
        if text is None:
            hint = "`modelyard registry push` puts one there"
            raise RegistryError(f"{source.address} is no version: it has no {name}", "no-version", hint)
        own[name] = text
    metadata = texts.decode(own[METADATA], source.address)
    sums = parsed(own[SUMS], f"{source.address}/{SUMS}")
    if isinstance(metadata, Problem):
        raise raised(metadata)
    if isinstance(sums, Problem):
        raise raised(sums)
    told = {each.path: each.sha256 for each in metadata.files}
    _refuse_paths(source, metadata)
    if sums != {**told, METADATA: hashlib.sha256(own[METADATA]).hexdigest()}:
        raise RegistryError(f"{source.address}: {METADATA} and {SUMS} do not fit each other", "wrong-digest")
    version = given(metadata.version)
    if version is None or str(version) != metadata.version:
        raise RegistryError(f"{source.address}: its version is {metadata.version[:40]!r}", "damaged-metadata")
    return Offered(Reference(checked(metadata.name), version), metadata, own)


def _refuse_paths(source: Source, metadata: Metadata) -> None:
    """RegistryError for files that lead elsewhere, come twice, or lie in a file."""
    paths = [each.path for each in metadata.files]
    folders = {each[:at] for each in paths for at, letter in enumerate(each) if letter == "/"}
    bad = next((each for each in paths if not is_inside(each) or each in folders or each in (METADATA, SUMS)), None)
    if bad is not None or len(set(paths)) < len(paths):
        message = f"its metadata name a file that cannot be: {bad[:200]!r}" if bad else "its metadata name a file twice"
        raise RegistryError(f"{source.address}: {message}", "damaged-metadata")


def receive(root: str, source: Source, name: str | None) -> Reference:
    """Makes it a version here, whole or not at all. RegistryError for another one of the same name and number."""
    offer = offered(source)
    which = offer.which
    if name is not None and checked(name.partition("@")[0]) != which.name:
        hint = "a version keeps its name; leave yours away"
        raise RegistryError(f"{source.address} is {which}", "bad-name", hint)
    place, target = folder_of(root, which.name), folder_of(root, which.name, which.version)
    if os.path.lexists(target):
        _same(root, offer)
        return which
    with drafted(Disk(), root, which.name) as made:
        for label, text in offer.own.items():
            made.write(label, text)
        for entry in offer.metadata.files:
            source.fetch(entry.path, entry.size, made)
            if made.files[entry.path].sha256 != entry.sha256:
                hint = "it was changed or damaged there, or on the way: nothing was kept"
                raise RegistryError(f"{source.address}/{entry.path} has another digest", "wrong-digest", hint)
        share_twins(place, versions_in(place), made)
        try:
            made.keep(os.fsencode(target))
        except FileExistsError as error:
            raise taken(root, which) from error
    return which


def _same(root: str, offer: Offered) -> None:
    """RegistryError unless the version that is here already is that one, every byte of it."""
    with opened(root, offer.which) as (files, _):
        if files.own != offer.own:
            raise taken(root, offer.which)
        for name in files.entries:
            files.check(name)
