"""A patch as `git apply` understands it, from the old and the new content of files."""

from __future__ import annotations

import base64
import difflib
import hashlib
import zlib

from msgspec import Struct

PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+-=@,")
MOST_LINES = 4000
"""Lines of a text beyond which it is written whole: comparing takes their square."""
NONE = "0" * 40


class Side(Struct, frozen=True):
    """A file before or after: `mode` as Git writes it, empty where there is no file."""

    mode: str = ""
    data: bytes = b""

    @property
    def object(self) -> str:
        """Its name as an object."""
        return blob(self.data) if self.mode else NONE


def blob(data: bytes) -> str:
    """The name that Git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def quoted(path: bytes) -> bytes:
    """A path as it stands in a patch: in quotes where it holds anything unusual."""
    if all(byte in PLAIN for byte in path):
        return path
    return b'"' + b"".join(bytes([each]) if each in PLAIN or each == 32 else b"\\%03o" % each for each in path) + b'"'


def change(path: bytes, old: Side, new: Side) -> bytes:
    """The patch of one file."""
    before, after = quoted(b"a/" + path), quoted(b"b/" + path)
    lines = [b"diff --git %s %s" % (before, after)]
    if not old.mode:
        lines.append(b"new file mode " + new.mode.encode())
    elif not new.mode:
        lines.append(b"deleted file mode " + old.mode.encode())
    elif old.mode != new.mode:
        lines += [b"old mode " + old.mode.encode(), b"new mode " + new.mode.encode()]
    if old.data == new.data and old.mode and new.mode:
        return b"\n".join(lines) + b"\n"
    same = old.mode if old.mode == new.mode else ""
    lines.append(f"index {old.object}..{new.object} {same}".rstrip().encode())
    if old.data == new.data:  # an empty file that came or went
        return b"\n".join(lines) + b"\n"
    if _is_text(old.data) and _is_text(new.data):
        lines.append(b"--- " + (before if old.mode else b"/dev/null"))
        lines.append(b"+++ " + (after if new.mode else b"/dev/null"))
        return b"\n".join(lines) + b"\n" + _difference(old.data, new.data)
    return b"\n".join(lines) + b"\n" + _whole(new.data)


def _is_text(data: bytes) -> bool:
    return b"\0" not in data and data.count(b"\n") <= MOST_LINES and len(data) <= 1 << 20


def _difference(old: bytes, new: bytes) -> bytes:
    found = list(difflib.diff_bytes(difflib.unified_diff, _lines(old), _lines(new), n=3, lineterm=b"\n"))[2:]
    return b"".join(each if each.endswith(b"\n") else each + b"\n\\ No newline at end of file\n" for each in found)


def _lines(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _whole(data: bytes) -> bytes:
    """The new content, deflated and in base 85, as Git's binary patches hold it."""
    packed = zlib.compress(data)
    made = [b"GIT binary patch", b"literal %d" % len(data)]
    for at in range(0, len(packed), 52):
        part = packed[at : at + 52]
        length = len(part)
        made.append(bytes([64 + length if length <= 26 else 70 + length]) + base64.b85encode(part, pad=True))
    return b"\n".join(made) + b"\n\n"
