"""Where people's own code asks for an artifact by name or by path: one index over the tree that was walked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from itertools import groupby

from msgspec import Struct

from modelyard.inventory import Artifact, Confidence, Use
from modelyard.problem import Problem
from modelyard.uses.calls import CALLS, Call, handles
from modelyard.walk.claims import Claims
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

CAP = 1 << 20
SURE: tuple[Confidence, ...] = ("high", "medium", "low")
TURN = 4096
"""Files looked into at once; Ctrl-C is heard in between."""
FILES = 50_000
"""More files than this are not looked into: the answer then says so."""
SUFFIXES = "py ipynb sh bash zsh fish toml yaml yml cfg ini env kcpps service md r R jl"
WHOLE = "Dockerfile Containerfile Modelfile Makefile requirements .bashrc .zshrc .profile .bash_profile .envrc .env"
NAMES = (*(f"*.{suffix}" for suffix in SUFFIXES.split()), *WHOLE.split())
PRUNED = (".git", "node_modules", "site-packages", "dist-packages", "__pycache__", ".tox", ".mypy_cache", ".cache")
PATHS = (
    b".gguf",
    b".safetensors",
    b".ckpt",
    b".pth",
    b".pt'",
    b'.pt"',
    b".onnx",
    b"/bin/activate",
    b"/bin/python",
    b"checkpoint-",
)
PATH = re.compile(rb"[\w@~./:+-]*")
BEFORE = re.compile(rb"[\w@~./+-]*\Z")
ENVIRONMENT = b"dependencies:"
NAME = re.compile(rb"(?m)^name:\s*[\"']?([\w.-]+)")
WORDS = tuple(call.word for call in CALLS) + PATHS + (ENVIRONMENT,)


class Reference(Struct, frozen=True):
    """One place in somebody's code that asks for something: line from 1, the words that ask, how far to trust it."""

    row: int
    line: int
    words: str
    confidence: Confidence


class References(Struct, frozen=True):
    """Everything that the code under the roots asks for, by store and name and by row of the tree."""

    files: int
    complete: bool
    named: dict[tuple[str, str], list[Reference]]
    placed: dict[int, list[Reference]]

    def of(self, artifact: Artifact, number: int, tree: Tree, claims: Claims) -> list[Use]:
        """Who asks for the artifact, each place once, in the order of paths."""
        found = {each for name in handles(artifact) for each in self.named.get((artifact.store, name), ())}
        for row, references in self.placed.items():
            if number in claims.owners_of(row):
                found.update(references)
        surest: dict[tuple[str, int], Reference] = {}
        for each in sorted(found, key=lambda each: (SURE.index(each.confidence), each.words)):
            surest.setdefault((tree.label(each.row), each.line), each)
        return [
            Use("code", f"{path}:{line}", each.words, each.confidence) for (path, line), each in sorted(surest.items())
        ]


def index(tree: Tree, claims: Claims) -> References:
    """Looks through scripts, notebooks, recipes and settings that no artifact claims, each file at most once."""
    folders = [row for row in claims.all() if tree.is_folder(row)]
    rows = tree.candidates(NAMES, folders, PRUNED, CAP, FILES)
    references = References(len(rows), len(rows) < FILES, {}, {})
    for start in range(0, len(rows), TURN):
        found = tree.search(rows[start : start + TURN], WORDS, CAP)
        for row, hits in groupby(found, key=lambda hit: hit[0]):
            _read(tree, references, row, [(number, offset) for _, number, offset in hits])
    return references


def _read(tree: Tree, references: References, row: int, hits: list[tuple[int, int]]) -> None:
    text = tree.read(row, CAP)
    if isinstance(text, Problem):
        return
    for number, offset in hits:
        if number < len(CALLS):
            _named(tree, references, row, text, CALLS[number], offset)
        elif WORDS[number] == ENVIRONMENT:
            _environment(references, row, text)
        else:
            _placed(tree, references, row, text, offset)


def _named(tree: Tree, references: References, row: int, text: bytes, call: Call, offset: int) -> None:
    for name, end in call.names(text, offset):
        reference = _reference(row, text, offset, end, call.confidence)
        for store in call.stores:
            references.named.setdefault((store, name), []).append(reference)
        if name.startswith((".", "/", "~")):
            _put(tree, references, os.fsencode(name), reference)


def _environment(references: References, row: int, text: bytes) -> None:
    """A conda environment file names the environment that it makes."""
    if found := NAME.search(text):
        reference = _reference(row, text, found.start(), found.end(), "high")
        references.named.setdefault(("conda", found[1].decode()), []).append(reference)


def _placed(tree: Tree, references: References, row: int, text: bytes, offset: int) -> None:
    """A path in the code, absolute, below the home or beside the file."""
    start = BEFORE.search(text, max(0, offset - 1000), offset).start()  # type: ignore[union-attr]
    found = PATH.match(text, start)
    path = found[0].rstrip(b".:=") if found else b""
    if b"/" not in path and not path.endswith(PATHS):
        return
    _put(tree, references, path, _reference(row, text, start, start + len(path), "high"))


def _put(tree: Tree, references: References, path: bytes, reference: Reference) -> None:
    """Notes the reference at the row that the path leads to, where there is one."""
    for place in _places(tree, reference.row, path):
        target = tree.find(place)
        if target is not None:
            references.placed.setdefault(target, []).append(reference)
            return


def _places(tree: Tree, row: int, path: bytes) -> Iterable[bytes]:
    if path.startswith(b"~/"):
        return (tree.home + path[1:],)
    folder = os.path.dirname(tree.path(row))
    return (os.path.join(folder, path), os.path.join(os.path.dirname(folder), path))


def _reference(row: int, text: bytes, start: int, end: int, confidence: Confidence) -> Reference:
    line_start = text.rfind(b"\n", 0, start + 1) + 1
    if text[line_start:start].lstrip().startswith((b"#", b"//")):
        confidence = "low"  # a comment
    line_end = text.find(b"\n", end)
    words = text[max(line_start, start - 60) : line_end if 0 <= line_end < end + 60 else end + 60]
    return Reference(row, text.count(b"\n", 0, line_start) + 1, " ".join(shown(words).split()), confidence)
