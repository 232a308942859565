"""Reads the user's `config.toml`. A rule that is mistyped is an error and never passed over."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from modelyard.inventory import Platform
from modelyard.policies.rules import EVERY, Rule, Rules
from modelyard.problem import Problem
from modelyard.units import parse_size, parse_span
from modelyard.walk.read import read_setting

T = TypeVar("T")
HINT = "mend the file; nothing is removed while it is not understood"


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table in which every key is known."""


class TrashTable(_Strict, frozen=True):
    """`[trash]`: how long `purge` leaves things there, and whether `clean` and `apply` purge what is older."""

    keep: str | None = None
    purge_older: bool = False


class StoreTable(_Strict, frozen=True):
    """`[stores.NAME]`: sizes and spans as people write them."""

    never: bool | None = None
    unused_for: str | None = None
    keep_last: int | None = None
    keep_best: int | None = None
    min_free: str | None = None
    max_size: str | None = None


class Document(_Strict, frozen=True):
    """The whole file. `download_rate` is bytes a second: `12MB`."""

    trash: TrashTable = TrashTable()
    stores: dict[str, StoreTable] = {}
    download_rate: str | None = None


def file(env: Mapping[str, str], home: Path, platform: Platform) -> Path:
    """Where the user's settings are (XDG base directories, Apple's file system guide)."""
    if platform == "macos":
        return home / "Library" / "Application Support" / "modelyard" / "config.toml"
    return Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "modelyard" / "config.toml"


def rules(env: Mapping[str, str], home: Path, platform: Platform, stores: Collection[str]) -> Rules | Problem:
    """The user's rules, none where there is no file. `stores` are the names that may stand in it."""
    path = file(env, home, platform)
    text = read_setting(str(path))
    if isinstance(text, Problem):
        return text
    try:
        document = msgspec.convert(tomllib.loads(text), Document)
        return _rules(document, stores)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        words = " ".join(str(error).split())[:200]
        return Problem(str(path), "unreadable-settings", f"settings that are not understood: {words}", HINT)


def _rules(document: Document, stores: Collection[str]) -> Rules:
    unknown = sorted(set(document.stores) - set(stores) - {EVERY})
    if unknown:
        raise ValueError(f"no store is called {unknown[0]!r}; `modelyard where` lists them")
    found = {name: _rule(table) for name, table in document.stores.items()}
    span = _parsed(parse_span, document.trash.keep)
    return Rules(found, span, document.trash.purge_older, _parsed(parse_size, document.download_rate))


def _rule(table: StoreTable) -> Rule:
    for name in ("keep_last", "keep_best"):
        if (getattr(table, name) or 0) < 0:
            raise ValueError(f"{name} cannot be less than 0")
    return Rule(
        table.never,
        _parsed(parse_span, table.unused_for),
        table.keep_last,
        table.keep_best,
        _parsed(parse_size, table.min_free),
        _parsed(parse_size, table.max_size),
    )


def _parsed(parse: Callable[[str], T], text: str | None) -> T | None:
    return None if text is None else parse(text)
