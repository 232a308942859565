"""Graphs of TensorFlow written as text: the operators that they name.

Grammar: protobuf.dev/reference/protobuf/textformat-spec: texts that follow each other are one, with escapes as in C.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

BLANK = r"(?:\s|#[^\n]*+)*+"
LITERAL = r"""(?:"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')"""
OPERATOR = re.compile(rf"\bop{BLANK}:{BLANK}({LITERAL}(?:{BLANK}{LITERAL})*+)")
PART = re.compile(rf"#[^\n]*+|({LITERAL})")
NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1f]")


def is_text(data: bytes) -> bool:
    """Whether bytes are text, which no message in its packed form is for long."""
    return NO_TEXT.search(data) is None


def text_operators(text: str) -> Iterator[str]:
    """The operators of every node, in functions too."""
    for found in OPERATOR.finditer(text):
        yield "".join(_spelled(part[1][1:-1]) for part in PART.finditer(found[1]) if part[1])


def _spelled(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
    except UnicodeDecodeError:
        return text
