"""`code/`: source files that a person keeps beside a model. modelyard never imports them by itself."""

from __future__ import annotations

import os

from modelyard.apply.folder import Folder
from modelyard.problem import Problem
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.layout import CODE, is_inside
from modelyard.walk.read import read_file

MOST = 1000
LEFT_OUT = frozenset(("__pycache__", ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"))


def copy_code(made: Folder, path: str) -> None:
    """Copies a file, or the files of a folder, into `code/`. RegistryError for none and for too many."""
    if not os.path.isdir(path):
        _copy(made, path, os.path.basename(path))
        return
    count = 0
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(each for each in folders if each not in LEFT_OUT)
        for name in sorted(names):
            count += 1
            if count > MOST:
                hint = "name the folder of the model's code alone"
                raise RegistryError(f"{path} holds more than {MOST} files", "too-large", hint)
            full = os.path.join(folder, name)
            if not os.path.islink(full):
                _copy(made, full, os.path.relpath(full, path))


def _copy(made: Folder, path: str, name: str) -> None:
    inside = f"{CODE}/{name}"
    if not is_inside(inside):
        raise RegistryError(f"{path!r} has a name that is no text", "bad-name")
    data = read_file(os.fsencode(path))
    if isinstance(data, Problem):
        raise raised(data)
    made.write(inside, data)
