"""The commit of the code that saves a model, and whether files of it were changed since, from Git's own files."""

from __future__ import annotations

import os
import stat

from modelyard.capsules.addresses import clean
from modelyard.capsules.git_index import noted
from modelyard.capsules.git_objects import Unreadable
from modelyard.capsules.git_patch import blob
from modelyard.capsules.git_repository import LINKED, Repository, git_folder, repository
from modelyard.problem import Problem
from modelyard.registry.metadata import Git
from modelyard.walk.read import read_file, read_link

MOST_FILES = 20_000
"""Tracked files that are looked at; nobody waits longer for a flag."""
LARGEST = 64 << 20


def commit_here(folder: str = ".") -> Git | None:
    """The commit that the working folder was checked out from; None where it lies in no repository.

    No program is run, and no password of an address is kept.
    """
    found = repository(folder)
    if found is None or isinstance(found, Problem):
        return None
    return Git(commit=found.commit, dirty=_dirty(found), remote=clean(found.remote)[0])


def _dirty(found: Repository) -> bool | None:
    """Whether a tracked file is not as the commit has it; None where that takes too long or cannot be read."""
    known = noted(git_folder(found.folder))
    if len(known) > MOST_FILES:
        return None
    try:
        tracked = found.tracked()
    except Unreadable:
        return None
    if len(tracked) > MOST_FILES:
        return None
    for path, (mode, name) in tracked.items():
        if mode == LINKED:
            continue
        try:
            seen = os.lstat(os.path.join(found.folder, path))
        except OSError:
            return True
        if known.get(path) != (seen.st_mtime_ns, seen.st_size, name) and _differs(found.folder, path, seen, name):
            return True
    return False


def _differs(folder: bytes, path: bytes, seen: os.stat_result, name: str) -> bool:
    place = os.path.join(folder, path)
    data = read_link(place) if stat.S_ISLNK(seen.st_mode) else read_file(place, LARGEST)
    return isinstance(data, Problem) or blob(data) != name
