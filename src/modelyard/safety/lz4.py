"""LZ4 frames, unpacked piece by piece as the decompressors of Python do it.

Layout: github.com/lz4/lz4, `doc/lz4_Frame_format.md` and `doc/lz4_Block_format.md`.
joblib packs so when it is asked to.
"""

from __future__ import annotations

REACH = 1 << 16
"""How far back a match may lie."""
LARGEST = 4 << 20
"""Bytes of a block, packed or not."""


class Lz4:
    """One frame. ValueError for what is none."""

    def __init__(self) -> None:
        self.eof = False
        self.unused_data = b""
        self.unconsumed_tail = b""
        self.needs_input = True
        self._fed = bytearray()
        self._ready = bytearray()
        self._before = b""
        self._flags = -1

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        """The next bytes, at most so many; empty where more has to be fed."""
        self._fed += data
        while not self._ready and self._step():
            pass
        most = max_length or len(self._ready)
        found = bytes(self._ready[:most])
        del self._ready[:most]
        while not self._ready and self._step():  # the end is seen with the last bytes, not when more is asked for
            pass
        self.needs_input = not self._ready and not self.eof
        return found

    def _step(self) -> bool:
        """Unpacks one block; False where more is needed or nothing is left."""
        if self.eof:
            return False
        if self._flags < 0:
            return self._begin()
        if len(self._fed) < 4:
            return False
        word = int.from_bytes(self._fed[:4], "little")
        length, sums = word & 0x7FFFFFFF, 4 if self._flags & 16 else 0
        if length > LARGEST:
            raise ValueError("an LZ4 block larger than there are")
        if not length:
            self.eof = True
            self.unused_data = bytes(self._fed[8 if self._flags & 4 else 4 :])
            return False
        if len(self._fed) < 4 + length + sums:
            return False
        block = bytes(self._fed[4 : 4 + length])
        del self._fed[: 4 + length + sums]
        whole = bytearray(b"" if self._flags & 32 else self._before)
        start = len(whole)
        if word >> 31:
            whole += block
        else:
            unpack_block(block, whole)
        self._ready += whole[start:]
        self._before = bytes(whole[-REACH:])
        return True

    def _begin(self) -> bool:
        flags = self._fed[4] if len(self._fed) > 4 else 0
        length = 7 + (8 if flags & 8 else 0)
        if len(self._fed) < length:
            return False
        if flags >> 6 != 1 or flags & 1:
            raise ValueError("an LZ4 frame of a version, or with a dictionary, that is not read")
        self._flags = flags
        del self._fed[:length]
        return True


def unpack_block(block: bytes, out: bytearray) -> None:
    """Unpacks one block behind what is there. ValueError for one that refers to nothing or is too long."""
    at, most = 0, len(out) + LARGEST
    while at < len(block):
        token = block[at]
        length, at = _length(block, at + 1, token >> 4)
        out += block[at : at + length]
        at += length
        if at + 2 > len(block):
            return
        back = int.from_bytes(block[at : at + 2], "little")
        length, at = _length(block, at + 2, token & 15)
        length += 4
        if not 0 < back <= len(out) or len(out) + length > most:
            raise ValueError("an LZ4 block that cannot be")
        piece = bytes(out[len(out) - back : len(out) - back + length])
        out += piece if back >= length else (piece * (length // back + 1))[:length]


def _length(block: bytes, at: int, length: int) -> tuple[int, int]:
    """A length that goes on in bytes of 255."""
    if length == 15:
        start = at
        while at < len(block) and block[at] == 255:
            at += 1
        length += 255 * (at - start) + (block[at] if at < len(block) else 0)
        at += 1
    return length, at
