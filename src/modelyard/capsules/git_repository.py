"""A Git repository as plain files: its commit, its remote, what of it was pushed, and which files it tracks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from msgspec import Struct

from modelyard.capsules.git_objects import Objects, Unreadable
from modelyard.problem import Problem
from modelyard.walk.read import names_in, read_file

COMMIT = re.compile(r"[0-9a-f]{40}")
SECTION = re.compile(r'\s*\[\s*([\w.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]')
SETTING = re.compile(r"\s*([A-Za-z][\w-]*)\s*=\s*(.*)")
FARTHEST = 5000
"""Commits that are looked at to see whether one was pushed."""
DEEPEST = 64
LINKED = "160000"


class Repository(Struct, frozen=True):
    """A repository and the commit that its files were checked out from."""

    folder: bytes
    objects: Objects
    commit: str
    remote: str
    pushed: bool

    def tracked(self) -> dict[bytes, tuple[str, str]]:
        """Mode and object of every file of the commit, by path. Unreadable where an object is not there."""
        return dict(self._below(_tree_of(self.objects.read(self.commit, "commit")), b"", 0))

    def _below(self, tree: str, path: bytes, depth: int) -> Iterator[tuple[bytes, tuple[str, str]]]:
        if depth > DEEPEST:
            raise Unreadable("folders that are nested too deeply")
        for mode, name, each in _entries(self.objects.read(tree, "tree")):
            if mode == "40000":
                yield from self._below(each, path + name + b"/", depth + 1)
            else:
                yield path + name, (mode, each)


def repository(folder: str) -> Repository | Problem | None:
    """The repository that a folder lies in; None where it lies in none, a Problem where it cannot be understood."""
    place = os.fsencode(os.path.abspath(folder))
    while not os.path.lexists(os.path.join(place, b".git")):
        if place == os.path.dirname(place):
            return None
        place = os.path.dirname(place)
    own = git_folder(place)
    shared = _shared(own)
    commit = _commit(own, shared)
    if not COMMIT.fullmatch(commit):
        return Problem(os.fsdecode(place), "no-commit", "a repository without a commit that could be read")
    objects = Objects(os.path.join(shared, b"objects"))
    return Repository(place, objects, commit, _remote(own, shared), _pushed(objects, shared, commit))


def git_folder(place: bytes) -> bytes:
    """`.git` itself, or the folder that a worktree's file of this name leads to."""
    inside = os.path.join(place, b".git")
    text = read_file(inside, 4096)
    if isinstance(text, Problem) or not text.startswith(b"gitdir:") or b"\0" in text:
        return inside
    return os.path.normpath(os.path.join(place, text[7:].strip()))


def _shared(own: bytes) -> bytes:
    """The folder that a worktree shares with its repository."""
    text = read_file(os.path.join(own, b"commondir"), 4096)
    return own if isinstance(text, Problem) or b"\0" in text else os.path.normpath(os.path.join(own, text.strip()))


def _text(path: bytes) -> str:
    text = read_file(path)
    return "" if isinstance(text, Problem) else text.decode("utf-8", "surrogateescape").strip()


def _commit(own: bytes, shared: bytes) -> str:
    """The commit that HEAD names, directly or by a branch."""
    head = _text(os.path.join(own, b"HEAD"))
    name = head.removeprefix("ref:").strip()
    if not head.startswith("ref:") or not re.fullmatch(r"refs/[^\0]+", name) or ".." in name:
        return head
    return _text(os.path.join(shared, os.fsencode(name))) or _packed_names(shared).get(name, "")


def _packed_names(shared: bytes) -> dict[str, str]:
    lines = _text(os.path.join(shared, b"packed-refs")).splitlines()
    return {name: commit for commit, _, name in (line.partition(" ") for line in lines) if COMMIT.fullmatch(commit)}


def settings(shared: bytes) -> dict[str, str]:
    """The values of its settings file as `section.name.key`. Nothing is included and no program is run."""
    found, section = {}, ""
    for line in _text(os.path.join(shared, b"config")).splitlines():
        if head := SECTION.match(line):
            section = f"{head[1].lower()}.{head[2]}" if head[2] is not None else head[1].lower()
        elif pair := SETTING.match(line):
            found[f"{section}.{pair[1].lower()}"] = pair[2].strip().strip('"')
    return found


def _remote(own: bytes, shared: bytes) -> str:
    """The address of the branch's own remote, else of origin, else of any."""
    known = settings(shared)
    branch = _text(os.path.join(own, b"HEAD")).removeprefix("ref:").strip().removeprefix("refs/heads/")
    name = known.get(f"branch.{branch}.remote", "origin")
    others = [value for key, value in known.items() if key.startswith("remote.") and key.endswith(".url")]
    return known.get(f"remote.{name}.url") or known.get("remote.origin.url") or next(iter(others), "")


def _pushed(objects: Objects, shared: bytes, commit: str) -> bool:
    """Whether a branch of a remote, as last seen, has the commit; False where that would take too long to find."""
    names = {commit for name, commit in _packed_names(shared).items() if name.startswith("refs/remotes/")}
    waiting = [*names, *_loose_names(os.path.join(shared, b"refs", b"remotes"), 0)]
    seen: set[str] = set()
    while waiting and len(seen) < FARTHEST:
        each = waiting.pop(0)
        if each == commit:
            return True
        if each not in seen and COMMIT.fullmatch(each):
            seen.add(each)
            try:
                waiting += _parents(objects.read(each, "commit"))
            except Unreadable:
                continue
    return False


def _loose_names(folder: bytes, depth: int) -> list[str]:
    found = []
    for name in names_in(os.fsdecode(folder)) if depth < 16 else ():
        path = os.path.join(folder, os.fsencode(name))
        if os.path.isdir(path) and not os.path.islink(path):
            found += _loose_names(path, depth + 1)
        else:
            found.append(_text(path))
    return found


def _tree_of(commit: bytes) -> str:
    found = re.match(rb"tree ([0-9a-f]{40})\n", commit)
    if not found:
        raise Unreadable("a damaged commit")
    return found[1].decode()


def _parents(commit: bytes) -> list[str]:
    return [each.decode() for each in re.findall(rb"(?m)^parent ([0-9a-f]{40})$", commit.partition(b"\n\n")[0])]


def _entries(tree: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Mode, name and object of each name in a tree; names that would lead elsewhere make it damaged."""
    at = 0
    while at < len(tree):
        end = tree.find(b"\0", at)
        mode, _, name = tree[at:end].partition(b" ")
        if end < 0 or len(tree) < end + 21 or not name or b"/" in name or name in (b".", b"..", b".git"):
            raise Unreadable("a damaged tree")
        yield mode.decode("ascii", "replace"), name, tree[end + 1 : end + 21].hex()
        at = end + 21
