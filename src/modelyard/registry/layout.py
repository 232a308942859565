"""Where everything lies in a registry, and what may be the name of a model: `NAME/v1.2.3/metadata.json`."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator

from modelyard.registry.errors import RegistryError
from modelyard.registry.versions import Version, parse
from modelyard.walk.read import names_in
from modelyard.walk.text import shown

MARKER = ".modelyard-registry"
METADATA, CONFIG, SUMS, ALIASES, CODE = "metadata.json", "config.json", "SHA256SUMS", "aliases.json", "code"
CARD = "README.md"
LONGEST_PART, LONGEST_NAME, DEEPEST = 128, 512, 8
RESERVED = frozenset((ALIASES, METADATA, CONFIG, SUMS))
FORBIDDEN = frozenset('\\:@*?"<>|')
"""Not in names: they mean something in references, in shells, or on the file systems of others."""


def checked(name: str) -> str:
    """The name of a model in Unicode's composed form. RegistryError for a name that no folder should have."""
    name = unicodedata.normalize("NFC", name)
    why = _wrong(name)
    if why:
        hint = "letters, digits, - _ . and blanks; / makes folders"
        raise RegistryError(f"{shown(name[:80])!r} is no name for a model: {why}", "bad-name", hint)
    return name


def _wrong(name: str) -> str:
    """What is wrong with a name, empty for nothing."""
    if not name:
        return "it is empty"
    if len(os.fsencode(name) if _encodes(name) else b"x" * LONGEST_NAME * 2) > LONGEST_NAME:
        return f"it is longer than {LONGEST_NAME} bytes"
    parts = name.split("/")
    if len(parts) > DEEPEST:
        return f"it has more than {DEEPEST} parts"
    return next((why for each in parts if (why := _wrong_part(each))), "")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong_part(part: str) -> str:
    if not part or part in (".", ".."):
        return "a part of it is empty or leads elsewhere"
    if part.startswith((".", "-", "~")) or part != part.strip() or part.endswith("."):
        return "a part of it begins or ends with a character that hides or changes it"
    if any(each in FORBIDDEN or not each.isprintable() for each in part):
        return "it has a character that cannot be typed or means something else"
    if len(part.encode()) > LONGEST_PART:
        return f"a part of it is longer than {LONGEST_PART} bytes"
    if part in RESERVED or (part[:1] == "v" and parse(part) is not None):
        return "a part of it is called like something inside the folder of a model"
    return ""


def folder_of(root: str, name: str, version: Version | None = None) -> str:
    """The folder of a model, or of a version of it."""
    return os.path.join(root, *name.split("/"), *([f"v{version}"] if version else []))


def is_folder(path: str) -> bool:
    """Whether it is a folder and no link to one: a link could lead out of the registry."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def versions_in(folder: str) -> list[Version]:
    """The versions in the folder of a model, the lowest first."""
    found = ((name, parse(name)) for name in names_in(folder) if name.startswith("v"))
    return sorted(
        version
        for name, version in found
        if version is not None and name == f"v{version}" and is_folder(os.path.join(folder, name))
    )


def versions_of(root: str, name: str) -> list[Version]:
    """The versions of a model, the lowest first; none where a part of its name is a link, which could lead anywhere."""
    parts = name.split("/")
    folders = (os.path.join(root, *parts[: at + 1]) for at in range(len(parts)))
    return versions_in(folder_of(root, name)) if all(map(is_folder, folders)) else []


def models(root: str, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, list[Version]]]:
    """Every model with its versions, by name."""
    if depth > DEEPEST:
        return
    for part in names_in(os.path.join(root, prefix)):
        path = os.path.join(root, prefix, part)
        if _encodes(part) and not _wrong_part(part) and is_folder(path):
            name = f"{prefix}{part}"
            if found := versions_in(path):
                yield name, found
            yield from models(root, f"{name}/", depth + 1)


def is_inside(path: str) -> bool:
    """Whether the path of a file stays within its version: relative, no empty or dotted parts, no NUL."""
    return "\0" not in path and _encodes(path) and all(each not in ("", ".", "..") for each in path.split("/"))
