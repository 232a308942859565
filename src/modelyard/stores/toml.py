"""TOML that tools left on a disk, read into types; whatever is wrong with it comes back as a value."""

from __future__ import annotations

import tomllib
from typing import TypeVar

import msgspec

from modelyard.problem import Problem
from modelyard.stores.settings import HINT
from modelyard.walk.read import read_setting

T = TypeVar("T")


def parsed_toml(text: bytes, kind: type[T]) -> T | ValueError:
    """The document, or why it is none: no TOML, another shape, no UTF-8, or nested beyond reason."""
    try:
        return msgspec.convert(tomllib.loads(text.decode()), kind)
    except (ValueError, msgspec.MsgspecError) as error:
        return ValueError(str(error))
    except RecursionError:
        return ValueError("nested too deeply")


def toml_settings(path: str, kind: type[T]) -> T | Problem:
    """The part of a TOML file that `kind` describes; all defaults where there is no such file."""
    text = read_setting(path)
    if isinstance(text, Problem):
        return text
    found = parsed_toml(text.encode(), kind)
    return not_toml(path, found) if isinstance(found, ValueError) else found


def not_toml(path: str, error: ValueError) -> Problem:
    """The problem that a file is no TOML of the expected shape."""
    words = " ".join(str(error).split())[:200]
    return Problem(path, "unreadable-settings", f"a settings file that is not understood as TOML: {words}", HINT)
