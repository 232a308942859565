"""Notes that tools leave beside a file, which tell its digest: `--local-dir`, llama.cpp, text-generation-webui."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from modelyard.inventory import Artifact
from modelyard.problem import Problem
from modelyard.stores.expects.expectation import DIGEST, HEX, Expectation, at, files_below
from modelyard.stores.json import parsed
from modelyard.units import SECOND
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

CAP = 1 << 20
LISTED = re.compile(r"\s+([0-9a-f]{64}) (\S.*)$")
WEBUI = b"huggingface-metadata.txt"
UNKNOWN = "the etag in its note is no digest"


class Answer(msgspec.Struct):
    """What a server said of a file that was fetched from it."""

    etag: str | None = None


def _of_etag(tree: Tree, row: int, etag: str, by: str, noted: int | None = None) -> Expectation:
    """A file by an etag of the Hub: 64 digits are its SHA-256, 40 are git's SHA-1; 32 are as often no MD5 at all."""
    digest = etag.strip().removeprefix("W/").strip('"')
    if not DIGEST.match(digest) or len(digest) == 32:
        return Expectation(tree.path(row), row, "structure", why=UNKNOWN)
    return Expectation(tree.path(row), row, HEX[len(digest)], digest, by=by, noted=noted)  # type: ignore[arg-type]


def local_dir(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """Each file by its `.metadata`: commit, etag and time, a line each (huggingface_hub/_local_folder.py)."""
    notes = next((row for row in artifact.pins if tree.name(row) == b"huggingface"), None)
    start = tree.parent(tree.parent(notes) or 0) if notes is not None else None
    folder = tree.child(notes, b"download")
    if start is None or folder is None:
        return
    for row in files_below(tree, [folder]):
        name = tree.path(row)[len(tree.path(folder)) + 1 :].removesuffix(b".metadata")
        if not tree.name(row).endswith(b".metadata"):
            continue
        text = tree.read(row, 4096)
        lines = [] if isinstance(text, Problem) else text.decode("utf-8", "replace").splitlines()
        path, file = at(tree, start, name.decode("utf-8", "surrogateescape"))
        if file is not None and len(lines) >= 2:
            yield _of_etag(tree, file, lines[1], f"its note of {lines[0][:12]}", _time(lines[2:]))
        elif file is None:
            yield Expectation(path, None, "there", by=tree.label(row))


def _time(lines: list[str]) -> int | None:
    """The time in a note, with the second that the client itself allows."""
    found = re.fullmatch(r"(\d{1,12})(?:\.\d+)?\s*", lines[0]) if lines else None
    return (int(found[1]) + 2) * SECOND if found else None


def llama_cpp(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """Models by the `.etag` beside them, which is the Hub's where they came from there."""
    for row in files_below(tree, artifact.blobs):
        note = tree.child(tree.parent(row), tree.name(row) + b".etag")
        text = tree.read(note, 4096) if note is not None else b""
        if note is not None and not isinstance(text, Problem):
            yield _of_etag(tree, row, text.decode("utf-8", "replace"), tree.label(note))


def transformers(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """Files of transformers before 4.22 by the etag in the JSON beside them."""
    for row in files_below(tree, artifact.blobs):
        note = tree.child(tree.parent(row), tree.name(row) + b".json")
        text = tree.read(note, 65536) if note is not None else b"{}"
        told = Answer() if isinstance(text, Problem) else parsed(text, Answer)
        if note is not None and isinstance(told, Answer) and told.etag:
            yield _of_etag(tree, row, told.etag, tree.label(note))


def webui(tree: Tree, artifact: Artifact) -> Iterator[Expectation]:
    """The `sha256sum` lines that the downloader of text-generation-webui writes beside a model."""
    for folder in artifact.blobs:
        note = tree.child(folder, WEBUI)
        text = tree.read(note, CAP) if note is not None else b""
        if isinstance(text, Problem):
            continue
        for line in text.decode("utf-8", "replace").splitlines():
            if found := LISTED.match(line):
                path, row = at(tree, folder, found[2].strip())
                yield Expectation(path, row, "sha256" if row is not None else "there", found[1], by=shown(WEBUI))
