"""What gdown's `cached_download` fetched, mostly from Google Drive; the cookies beside it stay out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Platform, Reading, Root, Store
from modelyard.stores.folders import child, unfinished
from modelyard.stores.folders import never as recognise
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "gdown",
    "gdown",
    ("cached_download(path=)",),
    kinds=("other",),
    recoveries=("re-get",),
)
OWN = (b"cookies.txt", b"cookies.json", b"_dl_lock")
HALF = re.compile(rb"\..*\.gdown$|tmp[a-z0-9_]{8}$")
SPELLED = (("-SLASH-", "/"), ("-COLON-", ":"), ("-EQUAL-", "="), ("-QUESTION-", "?"))


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`~/.cache/gdown` on every platform; nothing moves it."""
    yield Root(str(home / ".cache" / "gdown"), "default")


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a download, by the address that its name spells."""
    assert root.row is not None
    halves = [row for name, row in sorted(tree.children(root.row).items()) if HALF.match(name)]
    return Reading((*_downloads(root, tree), *unfinished(STORE, root, halves, "other")))


def _downloads(root: Root, tree: Tree) -> Iterator[Artifact]:
    assert root.row is not None
    for name, row in sorted(tree.children(root.row).items()):
        if name in OWN or HALF.match(name):
            continue
        draft = child(STORE, root, tree, row, "other", "re-get")
        address = draft.title
        for spelling, letter in SPELLED:
            address = address.replace(spelling, letter)
        yield replace(draft, title=address)
