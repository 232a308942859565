"""The small file that stays where an archived thing was: everything it takes to bring it back as it was, as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

from modelyard.plan import Path

SUFFIX = b".modelyard-archived"
CAP = 256 << 20
FORMAT = "modelyard archive"
VERSION = 1


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One name: its path below the base, rights, times in nanoseconds since 1970, extended attributes in base64.

    A `file` has its SHA-256, and the name, packing, bytes and SHA-256 of what is kept of it; `link` a target as it is
    written; `same` is one more name of the file at the path `target`. `holes`: it took less of the disk than its size.
    """

    path: Path
    kind: Literal["file", "folder", "link", "same"]
    mode: int = 0
    mtime: int = 0
    atime: int = 0
    size: int = 0
    target: Path | None = None
    xattrs: dict[str, str] = {}
    holes: bool = False
    sha256: str = ""
    object: str = ""
    packed: Literal["", "zstd"] = ""
    stored: int = 0
    stored_sha256: str = ""


class Stub(msgspec.Struct, frozen=True, omit_defaults=True):
    """An archived artifact: what it was called, where it is kept, and every name that it had below `base`.

    `tops` are the names that are put back, each whole: folders with what is in them, and files.
    """

    artifact: str
    store: str
    kind: str
    where: str
    archived: str
    base: Path
    tops: list[Path]
    entries: list[Entry]
    format: str = FORMAT
    version: int = VERSION

    @property
    def size(self) -> int:
        """Bytes of its files, each once."""
        return sum(each.size for each in self.entries if each.kind == "file")

    @property
    def stored(self) -> int:
        """Bytes that are kept of them."""
        return sum(each.stored for each in self.entries if each.kind == "file")


def encode(stub: Stub) -> bytes:
    """The stub as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(stub), indent=1) + b"\n"


def decode(text: bytes) -> Stub:
    """The stub of a JSON text. ValueError where it is none, or its paths lead out of its base."""
    try:
        found = msgspec.json.decode(text, type=Stub)
        names = [bytes(each.path) for each in found.entries] + [bytes(each) for each in found.tops]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ValueError(f"no stub of an archive: {error}") from error
    if found.format != FORMAT or found.version != VERSION:
        raise ValueError(f"a stub of version {found.version}, and this modelyard knows {VERSION}")
    for name in names:
        if name.startswith(b"/") or b"\0" in name or b".." in name.split(b"/") or not name:
            raise ValueError("a stub with a path that leads out of its folder")
    return found
