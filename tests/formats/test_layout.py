"""The house rules of format readers: one module a format, its members, and no format that knows another."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from modelyard.formats.known import FORMATS, GUESSES
from modelyard.formats.sniffing import Format, Head

ALL = FORMATS + GUESSES
NAMES = {str(vars(each)["__name__"]) for each in ALL}


def imports(path: Path) -> set[str]:
    """The modules that a file imports, with what it takes from packages."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.TITLE)
def test_a_format_has_its_members_and_knows_no_other(each: Format) -> None:
    assert each.TITLE
    assert not each.sniff(Head(b""))
    assert callable(each.read)
    reached: set[str] = set()
    waiting = [Path(str(vars(each)["__file__"]))]
    while waiting:
        for name in imports(waiting.pop()):
            path = Path(str(vars(each)["__file__"])).parent / f"{name.rpartition('.')[2]}.py"
            if name.startswith("modelyard.formats.") and name not in reached and path.exists():
                reached.add(name)
                waiting.append(path)
    assert not reached & (NAMES - {str(vars(each)["__name__"])})


def test_every_format_has_one_title() -> None:
    assert len({each.TITLE for each in ALL}) == len(ALL) == len(NAMES)


def test_no_head_makes_a_format_fail() -> None:
    """Sniffing never raises, whatever a file begins with."""
    heads = [bytes([first]) * length for first in range(256) for length in (1, 2, 3, 9, 600)]
    heads += [b"PK\3\4", b"GGUF", b"\x80\x04", b"{", b"<", b"\x08\x01\x12", b"\xde", b"\xdf\0\0\0", b"\x81\xbf"]
    for data in heads:
        for each in ALL:
            assert each.sniff(Head(data)) in (True, False)
