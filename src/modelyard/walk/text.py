"""Names on disk are bytes; this is how they are shown and how they become part of an id."""

from __future__ import annotations

import re

UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\udc80-\udcff]")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code & 0xFF:02x}" if code < 0x100 or code >= 0xDC80 else f"\\u{code:04x}"


def shown(name: bytes | str) -> str:
    """A name or path as text: bytes that are no UTF-8, control characters and direction marks are escaped."""
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
    return text if text.isprintable() else UNSHOWABLE.sub(_escape, text)
