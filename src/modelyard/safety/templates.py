"""Chat templates: Jinja that a program renders. Read as text and never rendered (CVE-2024-34359)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelyard.formats.file import File
from modelyard.safety.finding import Finding
from modelyard.safety.values import clipped

KEY = b"tokenizer.chat_template"
LOOKED = 512 << 20
"""Bytes at the beginning of a GGUF file in which its keys lie; vocabularies take a few of them."""
PIECE = 1 << 20
LONGEST = 1 << 20
CODE = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}", re.DOTALL)
TEXTS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
DANGEROUS = (
    (re.compile(r"\.\s*__\w+"), "reaches into objects by their inner attributes"),
    (re.compile(r"\[\s*(?:'[^']*__[^']*'|\"[^\"]*__[^\"]*\")"), "reaches into objects by their inner attributes"),
    (re.compile(r"\|\s*attr\b"), "reaches attributes by computed names"),
    (re.compile(r"\\x5f|\\u005f|\\137", re.IGNORECASE), "spells an underscore so that it is not seen"),
    (re.compile(r"(?:attribute\s*=\s*|(?:select|reject)attr\s*\(\s*|\bmap\s*\(\s*)['\"][^'\"]*__"), "reaches inside"),
    (re.compile(r"\]\s*\("), "calls what it reaches by a computed name"),
    (re.compile(r"\)\s*\("), "calls what a call gave"),
    (re.compile(r"\b(?:mro|subclasses|globals|builtins|popen|import_module|os\.system)\s*\("), "calls Python's inside"),
)
SUSPICIOUS = (
    (re.compile(r"^-?\s*(?:include|import|extends|from)\b"), "takes in another template"),
    (
        re.compile(r"\b(?:lipsum|cycler|joiner|self|request|url_for|get_flashed_messages)\b\s*[.\[|(]"),
        "reaches globals",
    ),
    (re.compile(r"\.\s*_[a-zA-Z]\w*"), "reaches a private attribute"),
    (re.compile(r"(?:\battribute\s*=\s*|attr\s*\(\s*)(?:''\s*[~+*%|(]|[^'\s])"), "reaches by a name that it computes"),
    (re.compile(r"%c|\|\s*format\b.*%c"), "builds text letter by letter"),
    (re.compile(r"\brange\s*\(\s*\d{8,}"), "counts for a very long time"),
)


CALL = re.compile(r"(\||\.|\bis\s+not\b|\bis\b|\bmacro\b|\bfilter\b)?\s*\b([A-Za-z_]\w*)\s*\(")
KNOWN = {"range", "namespace", "dict", "raise_exception", "strftime_now", "caller", "loop", "super", "if", "elif", "in",
         "and", "or", "not", "else", "is", "set", "for", "call", "cycler", "joiner", "lipsum", "self"}  # fmt: skip
"""What templates of chats call by name, and the words of the language that stand before a bracket."""
BRACKETS = re.compile(r"[\[\]]")
PUT_TOGETHER = re.compile(r"''\s*[~+*%]|[~+*%]\s*''|\|\s*(?:join|replace|format|reverse|lower|upper|string)\b")
MACRO = re.compile(r"\bmacro\s+(\w+)")


def scan_template(text: str, place: str, chat: bool = True) -> list[Finding]:
    """What a template reaches for that no chat needs. Programs bring functions to templates of other kinds."""
    found: dict[str, Finding] = {}
    for name in () if not chat else sorted(_called(text) - KNOWN - set(MACRO.findall(text)))[:8]:
        told = f"calls {clipped(name, 80)}, which no program that renders chats brings"
        found[name] = Finding("template-attribute", "suspicious", told, place)
    for code in _code(text):
        plain = TEXTS.sub("''", code)
        for pattern, what in DANGEROUS:
            looked = plain if pattern is DANGEROUS[0][0] else code
            if match := pattern.search(looked):
                told = f"{what}: {clipped(match[0].strip(), 80)}"
                found.setdefault(what, Finding("template-attribute", "dangerous", told, place))
        if any(map(PUT_TOGETHER.search, _subscripts(plain))):
            what = "reaches by a name that it puts together"
            found.setdefault(what, Finding("template-attribute", "suspicious", what, place))
        for pattern, what in SUSPICIOUS:
            if match := pattern.search(plain if "letter" not in what else code):
                told = f"{what}: {clipped(match[0].strip(), 80)}"
                found.setdefault(what, Finding("template-attribute", "suspicious", told, place))
    return list(found.values())


def _subscripts(code: str) -> Iterator[str]:
    """What stands between the brackets behind a value."""
    opened: list[int] = []
    for match in BRACKETS.finditer(code):
        if match[0] == "[":
            opened.append(match.start())
        elif opened:
            start = opened.pop()
            if code[:start].rstrip()[-1:] not in ("", *"(,=~+|[{:"):
                yield code[start + 1 : match.start()]


def _called(text: str) -> set[str]:
    """The names that are called, methods, filters and tests left out."""
    plain = (TEXTS.sub("''", code) for code in _code(text))
    return {name for code in plain for before, name in CALL.findall(code) if not before}


def _code(text: str) -> Iterator[str]:
    """What stands between the braces. An end that is missing ends with the text."""
    for match in CODE.finditer(text[:LONGEST]):
        yield (match[1] or match[2] or "").strip()
    for opening in ("{{", "{%"):
        at = text.rfind(opening)
        if at >= 0 and ("}}" if opening == "{{" else "%}") not in text[at:]:
            yield text[at + 2 :]


def scan_gguf(file: File, member: str) -> list[Finding]:
    """The chat templates among the keys of a GGUF file."""
    findings: list[Finding] = []
    at, end = 0, min(file.size, LOOKED)
    while at < end:
        piece = file.at(at, min(PIECE + 512, end - at))
        place = piece.find(KEY)
        while place >= 0:
            findings += _template(file, at + place, member)
            place = piece.find(KEY, place + 1)
        at += PIECE
    return list(dict.fromkeys(findings))


def _template(file: File, at: int, member: str) -> list[Finding]:
    """The text behind a key: the rest of its name, the type of a text, a length, the letters."""
    length = int.from_bytes(file.at(at - 8, 8), "little") if at >= 8 else 0
    if len(KEY) <= int.from_bytes(file.at(max(0, at - 8), 8), "big") <= 256:
        what = "a template in a file of the other byte order, which is not read"
        return [Finding("template-attribute", "unknown", what, member)]
    if not len(KEY) <= length <= 256 or at + length + 12 > file.size:
        return []
    name = file.at(at, length).decode("utf-8", "replace")
    kind, size = file.at(at + length, 4), int.from_bytes(file.at(at + length + 4, 8), "little")
    start = at + length + 12
    if kind != b"\x08\0\0\0" or size > LONGEST or start + size > file.size:
        what = "its template is no text that is read"
        return [Finding("template-attribute", "unknown", what, member)] if kind == b"\x08\0\0\0" else []
    text = file.at(start, size).decode("utf-8", "replace")
    return scan_template(text, f"{member}!{name}" if member else name)
