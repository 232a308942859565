"""A tokenizer as `tokenizers` writes it: how text is cut, and the vocabulary.

Layout: `tokenizers/src/tokenizer/serialization.rs` in github.com/huggingface/tokenizers.
"""

from __future__ import annotations

import re

from modelyard.formats.file import File, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import Head

TITLE = "tokenizer"
START = re.compile(rb'\s*\{\s*"version"\s*:\s*"([\d.]{1,12})"\s*,\s*"truncation"')
MODEL = re.compile(rb'"model"\s*:\s*\{\s*"type"\s*:\s*"(\w{1,20})"')
ENTRY = re.compile(rb'":\s*\d+\s*[,}]|"\s*,\s*-\d[\d.e-]*\s*\]')
PIECE = 1 << 20
MOST = 40 << 20
"""Bytes that are looked through: the largest vocabularies in use take less."""


def sniff(head: Head) -> bool:
    """The version, then how it shortens texts."""
    return bool(START.match(head.data))


@told
def read(file: File) -> Header:
    """What kind it is and how many words it knows, counted without building any."""
    found = START.match(file.head(4096))
    kind, words = "", 0
    for at in range(0, min(file.size, MOST), PIECE):
        piece = file.at(at, min(PIECE, file.size - at))
        model = MODEL.search(piece)
        if model and not kind:
            kind, piece = model[1].decode("ascii"), piece[model.end() :]
        if kind:
            words += sum(1 for _ in ENTRY.finditer(piece))
    return Header(
        TITLE,
        found[1].decode("ascii") if found else "",
        complete=file.tail(64).rstrip()[-1:] == b"}",
        architecture=kind,
        framework="tokenizers",
        metadata=(("words", f"about {words:,}"),),
        loads=("tokenizers.Tokenizer.from_file(path)",),
    )
