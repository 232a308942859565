"""YAML beside the weights: classes that Hydra and NeMo make by name, and YAML's own tags for Python. Read as text.

What text cannot settle is told: tags and keys can be spelled with escapes, given by anchors, and stand anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelyard.safety.finding import Finding
from modelyard.safety.policy import Dangerous, lookup
from modelyard.safety.settings import scan_text
from modelyard.safety.values import clipped

TARGET = re.compile(r"""(?<!\w)_target_['"]?\s*:\s*(?:&\w+\s+)?(['"]?)([\w.]+)\1(?=[\s,}\]]|$)""")
PATH = re.compile(r"""(?<!\w)target['"]?\s*:\s*(['"]?)([\w.]+)\1(?=[\s,}\]]|$)""")
"""How NeMo and the first programs for Stable Diffusion name classes; others call anything else so."""
KEY = re.compile(r"(?<!\w)_target_(?!\w)")
TAG = re.compile(r"(?<![\w'\"])!(?:<[^>\n]*>|(?:[\w-]*!)?[^\s,\]}]+)|%TAG[^\n]*")
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
NEMO = ("nemo.", "torch.optim.", "torch.nn.", "lightning.", "pytorch_lightning.", "megatron.")


def scan_yaml(data: bytes, place: str) -> list[Finding]:
    """What a YAML file of settings makes a library do."""
    findings = list(scan_text(data, place))
    text = unescaped(data)
    for match in TAG.finditer(text):
        from urllib.parse import unquote  # late: tags are rare

        tag = unquote(match[0])
        if "python" in tag:
            what = f"a tag of YAML that makes Python objects: {clipped(tag, 120)}"
            findings.append(Finding("dangerous-name", "dangerous", what, place, match.start()))
    return findings + list(dict.fromkeys(_targets(text, place)))


def unescaped(data: bytes) -> str:
    """The text of a YAML file with its escapes spelled out."""
    return ESCAPE.sub(_letter, data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace"))


def _letter(match: re.Match[str]) -> str:
    code = int(match[1] or match[2] or match[3], 16)
    return chr(code) if code < 0x110000 else ""


def _targets(text: str, place: str) -> Iterator[Finding]:
    known = 0
    for match in TARGET.finditer(text):
        known += 1
        name = match[2]
        module, _, last = name.rpartition(".")
        if isinstance(lookup(module, last), Dangerous):
            yield Finding("dangerous-name", "dangerous", f"makes {clipped(name, 120)}", place, match.start())
        elif not name.startswith(NEMO):
            yield Finding("unvetted-name", "suspicious", f"makes {clipped(name, 120)}", place, match.start())
    for match in PATH.finditer(text):
        module, _, last = match[2].rpartition(".")
        if module and isinstance(lookup(module, last), Dangerous):
            yield Finding("dangerous-name", "dangerous", f"makes {clipped(match[2], 120)}", place, match.start())
    if (count := len(KEY.findall(text))) > known:
        what = f"{count - known:,} names of what it makes that are not plain text"
        yield Finding("computed-name", "suspicious", what, place)
