"""Settings files of tools, wherever they lie; one that cannot be understood is a Problem, never passed over."""

from __future__ import annotations

import configparser
from typing import TypeVar

import msgspec

from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.walk.read import read_setting

T = TypeVar("T")
ALIASES = 16
DEPTH = 64
HINT = "its tool may keep things in a folder that was not looked at; mend the file or name the folder with --root"


def json_settings(path: str, kind: type[T]) -> T | Problem:
    """The part of a JSON file that `kind` describes; all defaults where there is no such file."""
    text = read_setting(path)
    if isinstance(text, Problem):
        return text
    found = parsed(text or "{}", kind)
    return strange_settings(path, "JSON", found) if isinstance(found, ValueError) else found


def ini_settings(path: str) -> configparser.ConfigParser | Problem:
    """The sections of an INI file; none where there is no such file."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    text = read_setting(path)
    if isinstance(text, Problem):
        return text
    try:
        parser.read_string(text)
    except configparser.Error as error:
        return strange_settings(path, "INI", error)
    return parser


def yaml_settings(path: str, kind: type[T]) -> T | Problem:
    """The part of a YAML file that `kind` describes; all defaults where there is no such file."""
    text = read_setting(path)
    if isinstance(text, Problem):
        return text
    found = parsed_yaml(text, kind)
    return strange_settings(path, "YAML", found) if isinstance(found, ValueError) else found


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


def strange_settings(path: str, language: str, error: Exception) -> Problem:
    """A settings file that cannot be understood."""
    words = " ".join(str(error).split())[:200] or type(error).__name__
    return Problem(path, "unreadable-settings", f"a settings file that is not understood as {language}: {words}", HINT)
