"""What the RECORD of an installed distribution says of its files, with names that lead nowhere else."""

from __future__ import annotations

import csv
import hashlib
import io
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

CAP = 64 << 20
OWN = (
    "INSTALLER",
    "REQUESTED",
    "RECORD",
    "RECORD.jws",
    "RECORD.p7s",
    "direct_url.json",
    "uv_cache.json",
    "uv_build.json",
)
"""What installers write into a dist-info folder; it is no part of the wheel."""
NATIVE = re.compile(r"(\.cpython-[^./]+|\.abi3|\.pypy[^./]+|\.cp[^./]+)?\.(so|pyd)$")
NAME = re.compile(r"[^\W\d]\w*")
MOST_IMPORTS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a distribution: its path below the environment, its hash as `sha256=…` in base64, its size."""

    path: str
    hash: str
    size: int | None


def parse(text: bytes, site: str) -> list[Entry]:
    """The entries of a RECORD; `site` is its site-packages below the environment. ValueError for what is no RECORD

    or names a file outside the environment.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text.decode("utf-8", "surrogateescape"))) if row]
    except csv.Error as error:
        raise ValueError(f"its RECORD is damaged: {error}") from error
    return [_entry(row, site) for row in rows]


def _entry(row: list[str], site: str) -> Entry:
    if len(row) != 3 or "\0" in row[0] or "\n" in row[0] or (row[2] and not row[2].isdecimal()):
        raise ValueError("its RECORD is damaged: a line has not three fields")
    name = row[0].replace("\\", "/")
    path = posixpath.normpath(posixpath.join(site, name))
    if name.startswith("/") or path.startswith("../") or path in ("..", "."):
        raise ValueError(f"its RECORD names {row[0]!r}, which is outside the environment")
    return Entry(path, row[1], int(row[2]) if len(row[2]) < 19 and row[2] else None)


def belongs_to_wheel(entry: Entry, info: str) -> bool:
    """Whether the wheel had this file: neither compiled nor written by the installer."""
    if entry.path.endswith((".pyc", ".pyo")):
        return False
    return not (posixpath.dirname(entry.path) == info and posixpath.basename(entry.path) in OWN)


def content(entries: Iterable[Entry], site: str, info: str) -> str:
    """One digest of the hashes of its modules and data, the same wherever the same wheel is installed."""
    lines = sorted(
        f"{each.path[len(site) :]} {each.hash}"
        for each in entries
        if each.path.startswith(site + "/") and belongs_to_wheel(each, info)
    )
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def imports(entries: Iterable[Entry], site: str) -> list[str]:
    """The names that can be imported: packages, modules, and packages in namespaces that are none themselves."""
    paths = [each.path[len(site) + 1 :] for each in entries if each.path.startswith(site + "/")]
    folders = {posixpath.dirname(path) for path in paths if path.endswith("/__init__.py") or "/__init__." in path}
    found = set(_names(paths, folders))
    names = sorted(name for name in found if all(NAME.fullmatch(part) for part in name.split(".")))
    public = [name for name in names if not name.startswith(("_", "test.", "tests.")) and name not in ("test", "tests")]
    return (public or names)[:MOST_IMPORTS]


def _names(paths: Iterable[str], folders: set[str]) -> Iterator[str]:
    for path in paths:
        folder, _, file = path.rpartition("/")
        stem = file[:-3] if file.endswith(".py") else NATIVE.sub("", file) if NATIVE.search(file) else ""
        if not stem or folder.partition("/")[0].endswith((".dist-info", ".data", ".libs")):
            continue
        parts = folder.split("/") if folder else []
        top = next(("/".join(parts[:at]) for at in range(1, len(parts) + 1) if "/".join(parts[:at]) in folders), "")
        if top:
            yield top.replace("/", ".")
        elif not folder:
            yield stem
