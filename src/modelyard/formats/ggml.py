"""GGML before GGUF: numbers without names, a vocabulary, then tensors one after the other.

Layouts: the first readers of llama.cpp (`ggml`, `ggmf`, `ggjt`) and of whisper.cpp (`ggml`), which differ.
"""

from __future__ import annotations

import struct

from modelyard.formats.dtypes import size_of
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Tensor
from modelyard.formats.sniffing import Head

TITLE = "GGML"
MAGICS = {b"lmgg": "ggml", b"fmgg": "ggmf", b"tjgg": "ggjt"}
TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 4: "Q4_2", 5: "Q4_3", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K",
    11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K",
}  # fmt: skip
WIDER = {"Q4_0": 20, "Q4_1": 24, "Q8_0": 36}
"""Bytes of a block before version 3 of `ggjt`, whose scales had 32 bits."""
LLAMA = ("n_vocab", "n_embd", "n_mult", "n_head", "n_layer", "n_rot", "ftype")
WHISPER = (
    "n_vocab", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer", "n_text_ctx", "n_text_state",
    "n_text_head", "n_text_layer", "n_mels", "ftype",
)  # fmt: skip
MOST_WORDS, MOST_TENSORS, LARGEST = 300_000, 16_384, 1 << 24


def sniff(head: Head) -> bool:
    """One of the three magics."""
    return head.data[:4] in MAGICS


class _Reader:
    def __init__(self, file: File, at: int) -> None:
        self.file, self.at = file, at

    def numbers(self, count: int) -> tuple[int, ...]:
        found = struct.unpack(f"<{count}i", self.file.at(self.at, 4 * count))
        self.at += 4 * count
        return found

    def words(self, count: int, behind: int) -> None:
        """Steps over a vocabulary: each word has a length, and so many bytes behind it."""
        if not 0 <= count <= MOST_WORDS:
            raise BrokenError(f"promises {count:,} words", "too-large")
        for _ in range(count):
            (length,) = self.numbers(1)
            if not 0 <= length <= 65_536:
                raise BrokenError("has a word that is too long")
            self.at += length + behind


@told
def read(file: File) -> Header:
    """Settings and tensors, read as llama.cpp's and, where that does not fit, as whisper.cpp's."""
    magic = MAGICS[file.at(0, 4)]
    if magic != "ggml":
        return _llama(file, magic)
    try:
        return _llama(file, magic)
    except (BrokenError, struct.error):
        pass
    try:
        return _whisper(file)
    except (BrokenError, struct.error):
        note = "written for a program of its own, in a layout that only this program knows"
        return Header(TITLE, magic, framework="ggml", notes=(note,))


def _llama(file: File, magic: str) -> Header:
    reader = _Reader(file, 4)
    version = 0 if magic == "ggml" else reader.numbers(1)[0]
    if version > 3:
        raise BrokenError(f"has version {version}, which there is not", "unsupported")
    facts = dict(zip(LLAMA, reader.numbers(len(LLAMA)), strict=True))
    _plausible(facts)
    reader.words(facts["n_vocab"], 0 if magic == "ggml" else 4)
    old = magic != "ggjt" or version < 3
    return _header(f"{magic} {version}" if version else magic, "llama", facts, *_tensors(reader, magic == "ggjt", old))


def _whisper(file: File) -> Header:
    reader = _Reader(file, 4)
    facts = dict(zip(WHISPER, reader.numbers(len(WHISPER)), strict=True))
    _plausible(facts)
    mels, width = reader.numbers(2)
    if not (0 <= mels <= 1024 and 0 <= width <= 65_536):
        raise BrokenError("is neither llama.cpp's nor whisper.cpp's", "unsupported")
    reader.at += 4 * mels * width
    reader.words(reader.numbers(1)[0], 0)
    return _header("ggml", "whisper", facts, *_tensors(reader, False, False))


def _plausible(facts: dict[str, int]) -> None:
    if any(not 0 <= value <= LARGEST for value in facts.values()):
        raise BrokenError("has settings that cannot be")


def _tensors(reader: _Reader, aligned: bool, old: bool) -> tuple[list[Tensor], bool]:
    """The tensors up to the end, and whether the last one is whole."""
    found: list[Tensor] = []
    file = reader.file
    while reader.at < file.size:
        if len(found) >= MOST_TENSORS:
            raise BrokenError(f"has more than {MOST_TENSORS:,} tensors", "too-large")
        if file.size - reader.at < 12:
            return found, False
        sides, length, kind = reader.numbers(3)
        if not 0 <= sides <= 4 or not 0 <= length <= 1024 or kind not in TYPES:
            raise BrokenError("has a tensor that cannot be")
        if file.size - reader.at < 4 * sides + length:
            return found, False
        shape = tuple(reversed(reader.numbers(sides)))
        if any(not 0 < side <= 1 << 31 for side in shape):
            raise BrokenError("has a tensor whose shape is no shape")
        name = file.at(reader.at, length).decode("utf-8", "replace")
        reader.at += length
        if aligned:
            reader.at = (reader.at + 31) // 32 * 32
        size = _size(TYPES[kind], shape, old)
        found.append(Tensor(name, TYPES[kind], shape, size, reader.at))
        reader.at += size
    return found, reader.at == file.size


def _size(dtype: str, shape: tuple[int, ...], old: bool) -> int:
    taken = size_of(dtype, shape)
    return taken // {"Q4_0": 18, "Q4_1": 20, "Q8_0": 34}[dtype] * WIDER[dtype] if old and dtype in WIDER else taken


def _header(version: str, architecture: str, facts: dict[str, int], tensors: list[Tensor], whole: bool) -> Header:
    return Header(
        TITLE,
        version,
        tuple(tensors),
        complete=whole,
        architecture=architecture,
        framework="ggml",
        metadata=tuple((name, str(value)) for name, value in facts.items()),
        loads=("whisper.cpp: whisper-cli -m path",) if architecture == "whisper" else (),
        notes=() if architecture == "whisper" else ("llama.cpp reads only GGUF since August 2023",),
    )
