"""Code of torch's own: the language of TorchScript, and the graphs of exported programs, which hold formulas as text.

From torch/_export/serde/serialize.py: names of operators are looked up attribute by attribute below `torch`, and
`expr_str` goes through `sympy.sympify`, which is Python's eval. TorchScript runs `__setstate__` while it loads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelyard.formats import zips
from modelyard.formats.file import File
from modelyard.safety.finding import Finding
from modelyard.safety.policy import Dangerous, lookup
from modelyard.safety.values import clipped

OPERATOR = re.compile(r"\bops\s*\.\s*(\w+)\s*\.\s*(\w+)")
REACHING = re.compile(r"\btorch\s*\.\s*(save|load|from_file|_save|_load)\s*\(")
"""Operators of torch itself are written without `ops`."""
OWN = ("aten", "prim", "quantized", "prims", "_quantized", "inductor", "sparse", "profiler", "cuda", "higher_order",
       "quantized_decomposed", "_c10d_functional", "c10d_functional", "profiler", "rngprims")  # fmt: skip
REACHES = ("from_file", "save", "load", "system", "_save", "_load")
GRAPH = re.compile(rb'"(target|expr_str)"\s*:\s*"((?:[^"\\]|\\.){0,4000})"')
SPELLED = re.compile(rb'\\u00[2-7][0-9a-fA-F][^"]{0,40}"\s*:')
"""A key whose letters are written as numbers."""
PLAIN_TARGET = re.compile(r"(?:_operator|math)\.\w+|torch\.(?:_?sym_\w+|_check\w*)|torch\._higher_order_ops\.[\w.]+")
SYMBOL = re.compile(r"Symbol\('\w+'(?:, \w+=(?:True|False|None))*\)")
FORMULA = re.compile(r"[\w\s+\-*/%(),.<>=&|~!]*")
CALLED = re.compile(r"\b([a-z_]\w*)\s*\(|\.\s*[A-Za-z_]|__")
"""What no formula has: functions that begin with a small letter, attributes, two underscores."""
PIECE, OVERLAP = 4 << 20, 1 << 14


def scan_script(text: str, place: str) -> list[Finding]:
    """Code of TorchScript: its language computes; operators of others and those that reach files are told."""
    findings: dict[str, Finding] = {}
    for library, name in OPERATOR.findall(text):
        if library not in OWN:
            what = f"the operator {clipped(f'{library}::{name}', 120)}, which a library must bring"
            findings.setdefault(what, Finding("custom-operator", "suspicious", what, place))
        elif name in REACHES:
            findings.setdefault(name, _reaching(f"{library}::{name}", place))
    for name in REACHING.findall(text):
        findings.setdefault(name, _reaching(f"torch.{name}", place))
    return list(findings.values())


def _reaching(name: str, place: str) -> Finding:
    return Finding("graph-operation", "dangerous", f"{name} reaches files", place)


def scan_exported(file: File, member: str) -> list[Finding]:
    """The graphs of an exported program: what they would look up, and the formulas that are evaluated."""
    findings: dict[Finding, None] = {}
    for each in zips.directory(file).members:
        if each.name.endswith(".json"):
            place = f"{member}!{each.name[:200]}" if member else each.name[:200]
            for found in _graph(zips.opened(file, each), place):
                findings[found] = None
    return list(findings)


def _graph(inner: File, place: str) -> Iterator[Finding]:
    for at in range(0, max(inner.size, 1), PIECE):
        data = inner.at(at, min(PIECE + OVERLAP, inner.size - at))
        if SPELLED.search(data):
            yield Finding("broken-file", "unknown", "its graph spells its keys in numbers", place)
        for key, raw in GRAPH.findall(data):
            text = raw.decode("utf-8", "replace")
            if key == b"expr_str":
                yield from _formula(text, place)
            else:
                yield from _target(text, place)


def _formula(text: str, place: str) -> Iterator[Finding]:
    rest = SYMBOL.sub("s", text)
    if not FORMULA.fullmatch(rest) or CALLED.search(rest):
        yield Finding("graph-operation", "dangerous", f"evaluates {clipped(text, 120)} as Python", place)


def _target(text: str, place: str) -> Iterator[Finding]:
    parts = text.split(".")
    if parts[:2] == ["torch", "ops"] and len(parts) > 3:
        yield from scan_script(".".join(parts[1:4]), place)
    elif text and not PLAIN_TARGET.fullmatch(text) and not text.startswith("#"):
        known = lookup(".".join(parts[:-1]), parts[-1])
        if isinstance(known, Dangerous):
            yield Finding("dangerous-name", "dangerous", f"{clipped(text, 120)}: {known.does}", place)
        else:
            yield Finding("unvetted-name", "suspicious", clipped(text, 120), place)
