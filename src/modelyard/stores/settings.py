"""Settings files of tools, wherever they lie; one that cannot be understood is a Problem, never passed over."""

from __future__ import annotations

import configparser
from typing import TypeVar

import msgspec

from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.read import read_setting

T = TypeVar("T")
HINT = "its tool may keep things in a folder that was not looked at; mend the file or name the folder with --root"


def json_settings(path: str, kind: type[T]) -> T | Problem:
    """The part of a JSON file that `kind` describes; all defaults where there is no such file."""
    text = read_setting(path)
    if isinstance(text, Problem):
        return text
    found = parsed(text or "{}", kind)
    return _strange(path, "JSON", found) if isinstance(found, ValueError) else found


def ini_settings(path: str) -> configparser.ConfigParser | Problem:
    """The sections of an INI file; none where there is no such file."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    text = read_setting(path)
    if isinstance(text, Problem):
        return text
    try:
        parser.read_string(text)
    except configparser.Error as error:
        return _strange(path, "INI", error)
    return parser


def yaml_settings(path: str, kind: type[T]) -> T | Problem:
    """The part of a YAML file that `kind` describes; all defaults where there is no such file."""
    text = read_setting(path)
    if isinstance(text, Problem):
        return text
    if not text.strip():
        return kind()
    import yaml  # late: few homes hold such a file

    try:
        found = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
        return msgspec.convert(found or {}, kind)
    except (yaml.YAMLError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        return _strange(path, "YAML", error)


def _strange(path: str, language: str, error: Exception) -> Problem:
    words = " ".join(str(error).split())[:200] or type(error).__name__
    return Problem(path, "unreadable-settings", f"a settings file that is not understood as {language}: {words}", HINT)
