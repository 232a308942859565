"""Settings that programs for making images keep inside their own install: YAML without bombs, and paths made whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.stores.places import expand
from modelyard.stores.settings import parsed_yaml, strange_settings
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

T = TypeVar("T")
CAP = 1 << 18


def home_of(tree: Tree) -> str:
    """The home that the walk was made for, which `~` stands for in settings."""
    return os.fsdecode(tree.home)


def placed(text: str, base: str, home: str) -> str:
    """A path from a setting, absolute: relative ones lie in `base`; `~` and the variables that name a home replaced."""
    known = {"HOME": home, "USERPROFILE": home} if home else {}
    text = text.strip().strip("\"'").replace("\0", "")
    return os.path.normpath(expand(text, known, Path(home if home and text.startswith("~") else base)))


def setting_json(tree: Tree, row: int | None, kind: type[T]) -> T | Problem:
    """The part of a JSON file of the tree that `kind` describes; all defaults where there is no such file."""
    if row is None:
        return kind()
    text = tree.read(row)
    found = text if isinstance(text, Problem) else parsed(text, kind)
    return strange(tree, row, "JSON", found) if isinstance(found, ValueError) else found


def setting_yaml(tree: Tree, row: int | None, kind: type[T]) -> T | Problem:
    """The part of a YAML file of the tree that `kind` describes; all defaults where there is no such file."""
    if row is None:
        return kind()
    text = tree.read(row, CAP)
    if isinstance(text, Problem):
        return text
    found = parsed_yaml(text, kind)
    return strange(tree, row, "YAML", found) if isinstance(found, ValueError) else found


def strange(tree: Tree, row: int, language: str, error: Exception) -> Problem:
    """A settings file that cannot be understood."""
    return strange_settings(shown(tree.path(row)), language, error)
