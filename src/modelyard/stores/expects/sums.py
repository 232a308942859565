"""`SHA256SUMS` and its like beside files, in the format of `sha256sum`: registry versions and whatever else has one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.stores.expects.expectation import Expectation, Method, at
from modelyard.walk.tree import Tree

CAP = 16 << 20
NAMES: dict[bytes, Method] = {
    b"SHA256SUMS": "sha256",
    b"sha256sums.txt": "sha256",
    b"SHA256SUMS.txt": "sha256",
    b"sha256sum.txt": "sha256",
    b"SHA512SUMS": "sha512",
    b"SHA1SUMS": "sha1",
    b"MD5SUMS": "md5",
}
DIGITS: dict[Method, int] = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}
LINE = re.compile(rb"(\\?)([0-9a-fA-F]+) [ *](.+)$")


def expects(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """Every file that a list of digests in a folder of the artifact names."""
    yield from below(tree, artifact.rows)


def below(tree: Tree, rows: Iterable[int]) -> Iterator[Expectation]:
    """Every file that a list of digests at or below the rows names, and that lies at or below its folder."""
    waiting = [row for row in rows if tree.is_folder(row)]
    while waiting:
        folder = waiting.pop()
        names = tree.children(folder)
        for name in NAMES.keys() & names.keys():
            yield from _listed(tree, folder, names[name], NAMES[name])
        waiting += [child for child in names.values() if tree.is_folder(child)]


def _listed(tree: Tree, folder: int, note: int, method: Method) -> Iterator[Expectation]:
    text = tree.read(note, CAP)
    by = tree.label(note)
    if isinstance(text, Problem):
        return
    for line in text.splitlines():
        found = LINE.match(line)
        if found is None or len(found[2]) != DIGITS[method]:
            continue
        name = found[3].decode("utf-8", "surrogateescape")
        if found[1]:  # sha256sum escapes such names
            name = name.replace("\\n", "\n").replace("\\\\", "\\")
        if name.startswith("/") or ".." in name.split("/"):
            continue
        path, row = at(tree, folder, name)
        yield Expectation(path, row, method if row is not None else "there", found[2].decode().lower(), by=by)
