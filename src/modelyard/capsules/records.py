"""What the RECORD of an installed distribution says of its files, with names that lead nowhere else."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import posixpath
import re
import stat
from collections.abc import Iterable, Iterator

from msgspec import Struct

from modelyard.problem import Problem
from modelyard.walk.read import read_file
from modelyard.walk.text import shown

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
METHODS = ("sha256", "sha384", "sha512")
LARGEST = 1 << 30
LATER = 2_000_000_000
"""Nanoseconds that an installer may take between a file and RECORD, clocks of file systems included."""


class Entry(Struct, frozen=True):
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


class Verified(Struct, frozen=True):
    """The bytes of a file, None where it is gone, and whether they are those that RECORD promises."""

    data: bytes | None
    intact: bool


def verified(prefix: bytes, entry: Entry, limit: int) -> Verified | Problem:
    """A file held against its hash. What is not the installed file counts only where it is the environment's own:

    what links lead to might be anything of anybody's.
    """
    path = os.path.join(prefix, os.fsencode(entry.path))
    if not os.path.lexists(path):
        return Verified(None, False)
    data = read_file(path, limit, follow=True)
    if isinstance(data, Problem):
        return data
    method, _, expected = entry.hash.partition("=")
    intact = method in METHODS and digest(data, method) == expected.rstrip("=")
    if not intact and os.path.realpath(path) != os.path.join(os.path.realpath(prefix), os.fsencode(entry.path)):
        return Problem(shown(path), "changed", "a link leads to it, and its hash is not that of RECORD")
    return Verified(data, intact)


def digest(data: bytes, method: str = "sha256") -> str:
    """A hash as RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.new(method, data).digest()).decode().rstrip("=")


def edited(prefix: bytes, entries: Iterable[Entry], info: str) -> str:
    """A digest of what somebody changed of a distribution's files, empty where nobody did.

    Only those are read whose size or time of writing tells: installers write RECORD last, so what was written later
    was not written by them.
    """
    until = _written(prefix, f"{info}/RECORD")
    found = []
    for entry in entries:
        if entry.size is None or not entry.hash or not belongs_to_wheel(entry, info):
            continue
        try:
            seen = os.lstat(os.path.join(prefix, os.fsencode(entry.path)))
        except OSError:
            found.append(f"{entry.path} is gone")
            continue
        if not stat.S_ISREG(seen.st_mode) or (seen.st_size == entry.size and seen.st_mtime_ns <= until + LATER):
            continue
        now = verified(prefix, entry, LARGEST)
        if isinstance(now, Problem) or not now.intact:
            found.append(f"{entry.path} {digest(now.data or b'') if isinstance(now, Verified) else now.message}")
    return hashlib.sha256("\n".join(found).encode("utf-8", "surrogateescape")).hexdigest() if found else ""


def _written(prefix: bytes, path: str) -> int:
    """When a file was written, in nanoseconds since 1970; never where it cannot be told."""
    try:
        return os.lstat(os.path.join(prefix, os.fsencode(path))).st_mtime_ns
    except OSError:
        return 1 << 63


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
