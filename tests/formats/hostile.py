"""Files made to hurt whoever reads their header: each as a function that writes one."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable
from functools import reduce
from pathlib import Path

Write = Callable[[Path], object]


def content(data: bytes) -> Write:
    """Writes just these bytes."""
    return lambda path: path.write_bytes(data)


def sparse(head: bytes, size: int, tail: bytes = b"") -> Write:
    """Writes a head, a hole that takes no disk, and a tail."""

    def write(path: Path) -> None:
        with path.open("wb") as out:
            out.write(head)
            out.truncate(size)
            out.seek(0, 2)
            out.write(tail)

    return write


def safetensors(header: bytes, length: int | None = None) -> bytes:
    """A safetensors file that claims a length."""
    return struct.pack("<Q", len(header) if length is None else length) + header


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(count: int) -> bytes:
    """A tar archive of empty members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(count):
            archive.addfile(tarfile.TarInfo(f"m{number}"))
    return out.getvalue()


def many_tensors() -> bytes:
    """A safetensors header of 100,000 tensors."""
    one = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    return safetensors(json.dumps({f"t{number}": one for number in range(100_000)}).encode())


def as_many_as_are_read() -> bytes:
    """A safetensors header of 40,000 tensors with long names."""
    name, one = "n" * 100, {"dtype": "F32", "shape": [1, 0], "data_offsets": [0, 0]}
    return safetensors(json.dumps({f"{name}{number}": one for number in range(40_000)}).encode())


def torch(pickled: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    """A torch archive with this stream."""
    return zipped({"a/data.pkl": pickled, "a/version": b"3\n"}, method)


def circle() -> bytes:
    """An HDF5 file whose root group's tree contains itself, made from a real layout."""
    head = b"\x89HDF\r\n\x1a\n" + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0)
    head += struct.pack("<QQQQ", 0, 2**64 - 1, 4096, 2**64 - 1) + struct.pack("<QQII16x", 0, 96, 0, 0)
    group = struct.pack("<BxHII4x", 1, 1, 1, 24) + struct.pack("<HHB3xQQ", 17, 16, 0, 200, 400)
    tree = b"TREE" + struct.pack("<BBHQQ", 0, 1, 1, 2**64 - 1, 2**64 - 1) + struct.pack("<QQQ", 0, 200, 0)
    heap = b"HEAP" + struct.pack("<B3xQQQ", 0, 8, 0, 500)
    return ((head.ljust(96, b"\0") + group).ljust(200, b"\0") + tree).ljust(400, b"\0") + heap + bytes(4000)


def laughs() -> bytes:
    """A network in XML with entities that grow to billions of letters."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    net = '<net name="&l9;"><layers></layers></net>'
    return f'<?xml version="1.0"?><!DOCTYPE net [<!ENTITY l0 "ha">{entities}]>{net}'.encode()


def nested(depth: int, opening: bytes, closing: bytes = b"") -> bytes:
    """The same thing inside itself."""
    return opening * depth + closing * depth


def graphs(depth: int) -> bytes:
    """An ONNX model with graphs inside nodes inside graphs."""
    graph = b""
    for _ in range(depth):
        attribute = b"\x32" + varint(len(graph)) + graph
        node = b"\x22\x02If\x2a" + varint(len(attribute)) + attribute
        graph = b"\x0a" + varint(len(node)) + node
    return b"\x08\x08\x12\x02me\x3a" + varint(len(graph)) + graph


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def flat(count: int) -> bytes:
    """A TensorFlow Lite file whose one buffer table is listed again and again."""
    vtable = struct.pack("<HHHHHHH", 14, 8, 0, 0, 0, 0, 4)
    head = struct.pack("<I4s", 24, b"TFL3") + vtable.ljust(16, b"\0")
    table = struct.pack("<iI", 24 - 8, 4)
    places = b"".join(struct.pack("<I", 2**32 - 4 * n & 0xFFFFFFFF) for n in range(count))
    return head + table + struct.pack("<I", count) + places


ZEROS = bytes(64 << 20)
HEAVY_XZ = lzma.compress(bytes(1000), filters=[{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 29}])
PICKLE = b"\x80\x04"

HOSTILE: dict[str, Write] = {
    "a length of 2^63": content(safetensors(b"{}", 2**63)),
    "a header of 1 GB": sparse(safetensors(b'{"a":', 10**9), 10**9 + 100),
    "100,000 tensors": content(many_tensors()),
    "lists nested ten million times": content(safetensors(nested(10_000_000, b"["))),
    "a map nested in a map": content(safetensors(b'{"__metadata__":' + nested(1_000_000, b'{"a":'))),
    "metadata of a million words": content(
        safetensors(b'{"__metadata__":{' + b",".join(b'"%d":""' % n for n in range(1_000_000)) + b"}}")
    ),
    "40,000 tensors": content(as_many_as_are_read()),
    "60,000 tensors without a shape": content(
        b"GGUF\x03\0\0\0" + struct.pack("<QQ", 60_000, 0) + (struct.pack("<Q", 1) + b"a" + bytes(16)) * 60_000
    ),
    "60,000 initializers": content(
        b"\x08\x08\x12\x02me\x3a" + varint(7 * 60_000) + b"\x2a\x05\x10\x01\x42\x01a" * 60_000
    ),
    "200,000 settings": content(
        b'{"model_type":"a",' + b",".join(b'"%d":%d' % (n, n + 1000) for n in range(200_000)) + b"}"
    ),
    "60,000 tensors in an index": content(
        b'{"weight_map":{' + b",".join(b'"%0100d":"%d"' % (n, n % 1000) for n in range(60_000)) + b"}}"
    ),
    "200,000 texts in a list": content(PICKLE + b"]" + b"\x8c\x05aaaaaa" * 200_000 + b"."),
    "60,000 tensors of one storage": content(
        torch(
            b"\x80\x04ctorch._utils\n_rebuild_tensor_v2\nq\x00((X\x07\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000"
            b"X\3\0\0\0cpuK\1tQK\0))\x89}tq\1](" + b"h\0h\1R" * 60_000 + b"e."
        )
    ),
    "a billion tensors": content(b"GGUF\x03\0\0\0" + struct.pack("<QQ", 10**9, 0) + bytes(1 << 20)),
    "2^63 keys": content(b"GGUF\x03\0\0\0" + struct.pack("<QQ", 0, 2**63)),
    "a list of 2^60 numbers": content(
        b"GGUF\x03\0\0\0" + struct.pack("<QQQ", 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 10, 2**60)
    ),
    "a list of 2^40 texts": sparse(
        b"GGUF\x03\0\0\0" + struct.pack("<QQQ", 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 8, 2**40), 1 << 40
    ),
    "500,000 empty texts": sparse(
        b"GGUF\x03\0\0\0" + struct.pack("<QQQ", 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 8, 500_000), 1 << 30
    ),
    "a zip bomb": content(torch(ZEROS, zipfile.ZIP_DEFLATED)),
    "a zip bomb of an array": content(zipped({"a.npy": ZEROS}, zipfile.ZIP_DEFLATED)),
    "60,000 members": content(zipped({f"{n}": b"" for n in range(60_000)})),
    "a directory of 10^9 members": content(
        b"PK\x03\x04" + bytes(100) + b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 10**9, 10**9, 0, 4)
        + b"PK\x06\x07" + struct.pack("<IQI", 0, 104, 1) + b"PK\x05\x06" + b"\xff" * 16 + b"\0\0"
    ),
    "half a million empty sets": content(PICKLE + b"\x8f" * 500_000 + b"."),
    "half a million lists": content(torch(PICKLE + b"]" * 500_000 + b".")),
    "a memo of two billion": content(PICKLE + b"Nr\xff\xff\xff\x7f" * 1000 + b"."),
    "tuples doubled a thousand times": content(PICKLE + b"N" + b"2\x86" * 1000 + b"."),
    "tuples nested half a million times": content(PICKLE + b")" + b"\x85" * 500_000 + b"."),
    "a number of a gigabyte": sparse(PICKLE + b"\x8b\0\0\0\x40", 1 << 31),
    "a text of a terabyte": sparse(PICKLE + b"\x8d" + struct.pack("<Q", 1 << 40), 1 << 40),
    "a list that contains itself": content(b"\x80\x04]\x940h\0h\0a."),
    "an array of 10^18 elements": content(
        b"\x93NUMPY\x01\0\x50\0{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"9" * 18 + b",)}" + bytes(99)
    ),
    "an array header of 2 GB": sparse(b"\x93NUMPY\x02\0\xff\xff\xff\x7f", 1 << 32),
    "a group that contains itself": content(circle()),
    "graphs nested a hundred times": content(graphs(100)),
    "a million fields": content(b"\x08\x08\x12\x02me" + b"\x3a" + varint(4_000_000) + b"\x0a\x02\x22\x00" * 1_000_000),
    "a table listed 60,000 times": content(flat(60_000)),
    "a billion laughs": content(laughs()),
    "a network of a million elements": content(b'<net name="a" version="11"><layers>' + b"<layer/>" * 1_000_000),
    "10,000 files in a tar": content(tarred(10_000)),
    "a gzip bomb": content(gzip.compress(PICKLE + ZEROS)),
    "a bzip2 bomb": content(bz2.compress(PICKLE + ZEROS)),
    "packed five times": content(reduce(lambda data, _: gzip.compress(data), range(6), bytes(999))),
    "an xz that asks for 512 MB": content(HEAVY_XZ),
    "maps nested a million times": content(b"\x81\xa1a" * 1_000_000),
    "a map of four billion": sparse(b"\xdf\xff\xff\xff\xff\xa1a\xc0", 1 << 33),
    "a million tensors in an index": content(
        b'{"metadata":{},"weight_map":{' + b",".join(b'"%d":"a"' % n for n in range(1_000_000)) + b"}}"
    ),
    "settings nested a million times": content(b'{"model_type":' + b"[" * 1_000_000),
    "a vocabulary of 2^31 words": content(b"tjgg\3\0\0\0" + struct.pack("<7i", 2**31 - 1, *[1] * 6) + bytes(99)),
    "words without an end": sparse(b"tjgg\x03\0\0\0" + struct.pack("<7i", 250_000, 1, 1, 1, 1, 1, 1), 1 << 32),
    "a tokenizer of 30 MB": content(
        b'{"version":"1.0","truncation":null,"model":{"type":"BPE","vocab":{' + b'"abcdefgh":1,' * 2_300_000 + b"}}}"
    ),
    "settings of trees of 1 GB": sparse(b'{"learner":{', 10**9, b"}"),
}  # fmt: skip
"""By what is wrong with each."""
