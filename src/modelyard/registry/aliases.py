"""`aliases.json`: names like `production` that mean one version of a model, changed in one step."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping

import msgspec

from modelyard.apply.disk import Disk
from modelyard.apply.folder import exclusive
from modelyard.apply.whole import draft
from modelyard.problem import Problem
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.layout import ALIASES, folder_of
from modelyard.registry.versions import Version, parse
from modelyard.walk.read import read_file

NAME = re.compile(r"[^\W\d_][\w.-]{0,63}")
RESERVED = frozenset(("latest", "x", "v"))


def read(root: str, name: str) -> dict[str, Version]:
    """The aliases of a model. RegistryError where they cannot be read."""
    path = os.fsencode(os.path.join(folder_of(root, name), ALIASES))
    if not os.path.lexists(path):
        return {}
    data = read_file(path)
    if isinstance(data, Problem):
        raise raised(data)
    try:
        found = msgspec.json.decode(data, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistryError(f"{os.fsdecode(path)} cannot be read: {error}", "damaged-aliases") from error
    parsed = {alias: parse(text) for alias, text in found.items()}
    return {alias: version for alias, version in parsed.items() if version is not None}


def checked(alias: str) -> str:
    """An alias that can be told from a version and a range. RegistryError for others."""
    if NAME.fullmatch(alias) is None or alias in RESERVED or parse(alias) is not None:
        hint = "a letter, then letters, digits, - _ ."
        raise RegistryError(f"{alias[:80]!r} is no name for an alias", "bad-name", hint)
    return alias


def change(disk: Disk, root: str, name: str, changes: Mapping[str, Version | None]) -> None:
    """Points aliases to versions, or takes them away (None), all at once and one writer after the other."""
    folder = os.fsencode(folder_of(root, name))
    with exclusive(folder):
        found: dict[str, Version | None] = {**read(root, name), **changes}
        text = {alias: f"v{version}" for alias, version in sorted(found.items()) if version is not None}
        with draft(disk, folder, secrets.token_hex(8).encode(), mode=0o666) as made:
            made.write(msgspec.json.format(msgspec.json.encode(text), indent=2) + b"\n")
            made.keep(os.fsencode(ALIASES), over=True)
