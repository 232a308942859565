"""Settings that programs for making images keep inside their own install: YAML without bombs, and paths made whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.stores.places import expand
from modelyard.stores.settings import HINT
from modelyard.walk.read import read_setting
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

T = TypeVar("T")
CAP = 1 << 18
ALIASES = 16
DEPTH = 64


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


def named_yaml(path: str, kind: type[T]) -> T | Problem:
    """The part of a YAML file wherever it lies that `kind` describes; all defaults where there is no such file."""
    text = read_setting(path)
    found = text if isinstance(text, Problem) else parsed_yaml(text, kind)
    return _strange(path, "YAML", found) if isinstance(found, ValueError) else found


def strange(tree: Tree, row: int, language: str, error: Exception) -> Problem:
    """A settings file that cannot be understood."""
    return _strange(shown(tree.path(row)), language, error)


def _strange(path: str, language: str, error: Exception) -> Problem:
    words = f"a settings file that is not understood as {language}: {' '.join(str(error).split())[:200]}"
    return Problem(path, "unreadable-settings", words, HINT)


def parsed_yaml(text: bytes | str, kind: type[T]) -> T | ValueError:
    """The document, all defaults where it is empty, or why it is none.

    The events are looked at first: a few aliases of aliases would unfold to more than any memory holds, and the loader
    in C has no bound on nesting.
    """
    if not text.strip():
        return kind()
    import yaml  # late: few homes hold such a file

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    aliases = depth = 0
    try:
        for event in yaml.parse(text, loader):
            aliases += isinstance(event, yaml.AliasEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if aliases > ALIASES or depth > DEPTH:
                return ValueError(f"more than {ALIASES} aliases, or nested more than {DEPTH} levels deep")
        found = yaml.load(text, loader)  # noqa: S506 - a safe loader
        return msgspec.convert(kind() if found is None else found, kind)
    except (yaml.YAMLError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        return ValueError(str(error) or type(error).__name__)
