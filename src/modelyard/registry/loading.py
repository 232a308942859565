"""Loads a version: its metadata, then its files, each opened once, through the codec that wrote them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from modelyard.problem import Problem
from modelyard.registry import codecs
from modelyard.registry import metadata as texts
from modelyard.registry.codec import Loading
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.held import Held, held
from modelyard.registry.layout import METADATA, SUMS, folder_of, is_inside
from modelyard.registry.metadata import Metadata
from modelyard.registry.own_code import importable
from modelyard.registry.references import Reference
from modelyard.registry.sums import read_sums, sums
from modelyard.walk.read import opened_below


def metadata_of(root: str, which: Reference) -> Metadata | Problem:
    """The metadata of a version; a Problem where they are damaged, newer than this program, or of another version."""
    path = folder_of(root, which.name, which.version)
    found = texts.read(os.fsencode(os.path.join(path, METADATA)), path)
    if isinstance(found, Problem):
        return found
    return _checked(found, which, path)


def _checked(found: Metadata, which: Reference, path: str) -> Metadata | Problem:
    bad = next((each.path for each in found.files if not is_inside(each.path)), None)
    if bad is not None:
        return Problem(path, "damaged-metadata", f"its metadata name a file outside of it: {bad[:200]!r}")
    if (found.name, found.version) != (which.name, str(which.version)):
        message = f"its metadata are those of {found.name[:80]}@{found.version[:40]}"
        return Problem(path, "moved", message, "put the folder back where it was saved")
    return found


@contextmanager
def opened(root: str, which: Reference) -> Iterator[tuple[Held, Metadata]]:
    """A version, held open: its metadata are those that its sums tell. RegistryError where they cannot be trusted."""
    path = folder_of(root, which.name, which.version)
    found = metadata_of(root, which)
    if isinstance(found, Problem):
        raise raised(found)
    entries = {each.path: each for each in found.files}
    with held(path, entries, root) as files:
        _compare(files, found)
        yield files, found


def _compare(files: Held, found: Metadata) -> None:
    """The metadata that were read are those that the sums were made of."""
    told = read_sums(files.folder, files.path)
    if isinstance(told, Problem):
        raise raised(told)
    wrong = [path for path, entry in files.entries.items() if told.get(path) != entry.sha256]
    with opened_below(files.folder, os.fsencode(METADATA)) as descriptor:
        text = os.pread(descriptor, texts.CAP, 0)
    files.own = {METADATA: text, SUMS: sums(told)}
    if wrong or told.get(METADATA) != hashlib.sha256(text).hexdigest() or texts.decode(text, files.path) != found:
        hint = "`modelyard registry verify` tells which"
        raise RegistryError(f"{files.path}: {METADATA} and {SUMS} do not fit each other", "wrong-digest", hint)


def load(root: str, which: Reference, wish: Loading) -> Any:
    """The model of a version. RegistryError where it is damaged, UnsafeError where loading it would execute code."""
    with opened(root, which) as (files, found):
        codec = codecs.named(found.codec)
        if not wish.code:
            return codec.load(files, found, wish)
        with importable(files) as names:
            return codec.load(files, found, replace(wish, trusted=(*wish.trusted, *names)))
