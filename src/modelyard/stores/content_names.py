"""Files whose names or whose owners' records say what they hold: digests that nobody has to compute.

They are good for telling which files may be equal, and never prove it: a name may be wrong, a file damaged. Sources:
`stores.md` facts of each tool, namely the Hub's etags (64 hex digits are the SHA-256, 40 those of git's SHA-1; a name
in the hub's *shared* store is a Xet hash and says nothing here), blobs of Ollama and of OCI layouts, DVC's cache of
MD5 names, and the RECORD of installed wheels (PEP 376).
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import re

from modelyard.problem import Problem
from modelyard.walk.hash import Method
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

BLOB = re.compile(rb"sha256[-:]([0-9a-f]{64})")
SHA256, GIT, REST = re.compile(rb"[0-9a-f]{64}"), re.compile(rb"[0-9a-f]{40}"), re.compile(rb"[0-9a-f]{30}")
PAIR = re.compile(rb"[0-9a-f]{2}")
REPOSITORY = (b"models--", b"datasets--", b"spaces--", b"kernels--")
SITES = (b"site-packages", b"dist-packages")
MOST_RECORD = 16 << 20

Named = tuple[Method, str]
"""The kind of a digest and its hex digits."""


class ContentNames:
    """Asks names and records; the records of a folder of packages are read once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._sites: dict[int, dict[str, str]] = {}

    def of(self, row: int) -> Named | None:
        """What a file's name or a record says that it holds, None where nothing does."""
        tree = self._tree
        name, folder = tree.name(row), tree.parent(row)
        if found := BLOB.fullmatch(name):
            return "sha256", found[1].decode()
        if folder is None:
            return None
        above = tree.parent(folder)
        around = tree.name(above) if above is not None else b""
        if tree.name(folder) == b"blobs" and around.startswith(REPOSITORY):
            return _etag(name)
        if tree.name(folder) == b"sha256" and around == b"blobs" and SHA256.fullmatch(name):
            return "sha256", name.decode()
        if around == b"md5" and PAIR.fullmatch(tree.name(folder)) and REST.fullmatch(name):
            return "md5", (tree.name(folder) + name).decode()
        return self._recorded(row)

    def _recorded(self, row: int) -> Named | None:
        parts: list[str] = []
        at: int | None = row
        while at is not None:
            if self._tree.name(at) in SITES:
                found = self._site(at).get("/".join(reversed(parts)))
                return ("sha256", found) if found else None
            parts.append(shown(self._tree.name(at)))
            at = self._tree.parent(at)
        return None

    def _site(self, site: int) -> dict[str, str]:
        if site not in self._sites:
            found: dict[str, str] = {}
            for name, folder in self._tree.children(site).items():
                record = self._tree.child(folder, b"RECORD") if name.endswith(b".dist-info") else None
                data = self._tree.read(record, MOST_RECORD) if record is not None else b""
                found |= {} if isinstance(data, Problem) else _parsed(data)
            self._sites[site] = found
        return self._sites[site]


def _etag(name: bytes) -> Named | None:
    if SHA256.fullmatch(name):
        return "sha256", name.decode()
    return ("git-sha1", name.decode()) if GIT.fullmatch(name) else None


def _parsed(data: bytes) -> dict[str, str]:
    """By path below the folder of packages the SHA-256 that a RECORD promises; what is damaged promises nothing."""
    found = {}
    try:
        for row in csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"))):
            if len(row) == 3 and row[1].startswith("sha256="):
                text = row[1].removeprefix("sha256=")
                found[row[0]] = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
    except (csv.Error, binascii.Error, ValueError):
        return {}
    return found
