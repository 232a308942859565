"""`SHA256SUMS`: digests by path, as `sha256sum` of GNU coreutils writes and checks them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from modelyard.problem import Problem, from_errno
from modelyard.registry.layout import SUMS, is_inside
from modelyard.walk.read import opened_below

CAP = 16 << 20
LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)", re.DOTALL)
ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


def sums(digests: Mapping[str, str]) -> bytes:
    """As it is written; names with a backslash or a line break are escaped as `sha256sum` does."""
    lines = []
    for path, digest in sorted(digests.items()):
        escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        lines.append(f"{chr(92) if escaped != path else ''}{digest}  {escaped}\n")
    return os.fsencode("".join(lines))


def read_sums(folder: int, where: str) -> dict[str, str] | Problem:
    """The digests in the sums of an open version folder."""
    path = os.path.join(where, SUMS)
    try:
        with opened_below(folder, SUMS.encode()) as descriptor:
            return parsed(os.pread(descriptor, CAP, 0), path)
    except OSError as error:
        return from_errno(path, error.errno or 0)


def parsed(text: bytes, path: str) -> dict[str, str] | Problem:
    """The digests in the text of such a file; a Problem for a line that is none, or outside of its folder."""
    found: dict[str, str] = {}
    for line in os.fsdecode(text).removesuffix("\n").split("\n"):
        match = LINE.fullmatch(line)
        name = match[3] if match else ""
        if match and match[1]:
            name = re.sub(r"\\[\\nr]", lambda each: ESCAPES[each[0]], name)
        if match is None or not is_inside(name) or name in found:
            return Problem(path, "damaged-sums", f"has a line that is none of sha256sum: {line[:80]!r}")
        found[name] = match[2]
    return found
