"""Hostile pickles, written instruction by instruction. Every payload would leave a marker if it ever ran."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path

Text = str | bytes


def text(word: str) -> bytes:
    """A text."""
    data = word.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(module: str, qualified: str) -> bytes:
    """A name, the old way."""
    return f"c{module}\n{qualified}\n".encode()


def stacked(module: str, qualified: str) -> bytes:
    """A name, from the stack."""
    return text(module) + text(qualified) + b"\x93"


def call(what: bytes, *arguments: bytes) -> bytes:
    """A call."""
    return what + b"(" + b"".join(arguments) + b"tR"


def touch(marker: Path) -> bytes:
    """The argument that would leave the marker."""
    return text(f"touch {marker}")


def system(marker: Path) -> bytes:
    """What every attack wants: a command is run."""
    return call(name("os", "system"), touch(marker))


def framed(data: bytes) -> bytes:
    """A frame of exactly these instructions."""
    return b"\x95" + struct.pack("<Q", len(data)) + data


def stream(*parts: bytes, protocol: int = 4) -> bytes:
    """A whole stream."""
    return b"\x80" + bytes([protocol]) + b"".join(parts) + b"."


def torch_zip(data: bytes, *, root: str = "archive", more: dict[str, bytes] | None = None) -> bytes:
    """An archive as torch writes it, with any data.pkl."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{root}/data.pkl", data)
        archive.writestr(f"{root}/version", b"3\n")
        for path, content in (more or {}).items():
            archive.writestr(f"{root}/{path}", content)
    return out.getvalue()


def benign() -> bytes:
    """An honest pickle."""
    return pickle.dumps({"layers": [1, 2, 3], "name": "model"}, 4)
