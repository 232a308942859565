"""Files beside the packages that no package brought: copied modules, path files, what lost its RECORD."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from modelyard.capsules.git_ignore import is_secret
from modelyard.problem import Problem
from modelyard.walk.read import names_in, read_file
from modelyard.walk.text import shown

FOLDER = "loose/"
"""Where they lie in a capsule."""
PLACE = re.compile(r"loose/(lib(64)?/(python|pypy)[^/]*|Lib)/site-packages/.+", re.DOTALL)
LARGEST = 4 << 20
MOST_BYTES = 64 << 20
DEEPEST = 32
MADE = ("__pycache__", "_virtualenv.py", "_virtualenv.pth", "easy-install.pth", ".lock", "README.txt", ".DS_Store")
"""What Python, installers and makers of environments write there themselves."""
ENDS = (".dist-info", ".egg-info", ".egg-link", ".pyc", ".pyo")


class Loose(Struct):
    """Files by their path below the environment, and what of them is not kept."""

    files: dict[str, bytes] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    room: int = MOST_BYTES

    @property
    def digest(self) -> str:
        """One digest of them, empty where there are none."""
        found = hashlib.sha256()
        for path, data in sorted(self.files.items()):
            found.update(f"{path}\0{hashlib.sha256(data).hexdigest()}\n".encode())
        return found.hexdigest() if self.files else ""


def loose(prefix: bytes, sites: Iterable[str], owned: Iterable[str]) -> Loose:
    """Every file of the site-packages that is not among `owned`, paths below the environment. Nothing is followed."""
    made = Loose()
    known = set(owned)
    folders = {above for path in known for above in _above(path)}
    for site in sites:
        for path in _below(prefix, site, known, folders, 0):
            _keep(made, prefix, path)
    return made


def _above(path: str) -> Iterator[str]:
    """The folders above a path."""
    while path := path.rpartition("/")[0]:
        yield path


def _below(prefix: bytes, folder: str, known: set[str], folders: set[str], depth: int) -> Iterator[str]:
    for name in names_in(os.fsdecode(os.path.join(prefix, os.fsencode(folder)))):
        path = f"{folder}/{name}"
        if path in known or name == "__pycache__" or name.endswith(ENDS) or (depth == 0 and name in MADE):
            continue
        if path in folders:
            yield from _below(prefix, path, known, folders, depth + 1)
            continue
        try:
            mode = os.lstat(os.path.join(prefix, os.fsencode(path))).st_mode
        except OSError:
            continue
        if stat.S_ISDIR(mode) and depth < DEEPEST:
            yield from _below(prefix, path, known, folders, depth + 1)
        else:
            yield path


def _keep(made: Loose, prefix: bytes, path: str) -> None:
    place = os.path.join(prefix, os.fsencode(path))
    if is_secret(path):
        made.left_out.append(f"{shown(path)}: its name tells of a secret")
        return
    data = read_file(place, min(LARGEST, made.room))
    if isinstance(data, Problem):
        made.left_out.append(f"{shown(path)}: no package brought it, and it is not kept: {data.message}")
    elif not path.isprintable() or "\\" in path:
        made.left_out.append(f"{shown(path)}: no package brought it, and its name is not kept")
    else:
        made.files[path] = data
        made.room -= len(data)
