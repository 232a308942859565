"""OpenVINO: a network as XML, and its constants in a file beside it. Entities are refused.

Layout: docs.openvino.ai, "OpenVINO IR format".
"""

from __future__ import annotations

from math import prod
from xml.parsers import expat

from msgspec import Struct, field

from modelyard.formats.dtypes import BLOCKS, WIDTHS, size_of
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Need, Tensor
from modelyard.formats.sniffing import Head

TITLE = "OpenVINO"
DTYPES = {
    "f64": "F64", "f32": "F32", "f16": "F16", "bf16": "BF16", "i64": "I64", "i32": "I32", "i16": "I16", "i8": "I8",
    "u64": "U64", "u32": "U32", "u16": "U16", "u8": "U8", "boolean": "BOOL", "i4": "I4", "u4": "U4", "nf4": "U4",
    "f4e2m1": "F4", "f8e4m3": "F8_E4M3", "f8e5m2": "F8_E5M2", "f8e8m0": "F8_E8M0", "u2": "U2",
}  # fmt: skip
PIECE = 65536
MOST = 32 << 20
MOST_ELEMENTS = 600_000


class _Net(Struct):
    """What was seen of the network so far."""

    name: str = ""
    version: str = ""
    layer: tuple[str, str] = ("", "")
    tensors: list[Tensor] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    facts: list[tuple[str, str]] = field(default_factory=list)
    elements: int = 0

    def start(self, tag: str, words: dict[str, str]) -> None:
        """An element begins."""
        self.elements += 1
        if self.elements > MOST_ELEMENTS:
            raise BrokenError(f"has more than {MOST_ELEMENTS:,} elements", "too-large")
        if tag == "net" and not self.version:
            self.name, self.version = words.get("name", "")[:200], words.get("version", "?")[:40]
        elif tag == "layer":
            self.layer = words.get("name", "")[:400], words.get("type", "")[:100]
            self.kinds[self.layer[1]] = self.kinds.get(self.layer[1], 0) + 1
        elif tag == "data" and self.layer[1] == "Const" and "offset" in words and len(self.tensors) < 65_536:
            self.tensors.append(self._constant(words))
        elif (tag == "info" or "value" in words) and len(self.facts) < 64:
            self.facts.append((words.get("name", tag)[:100], words.get("value", "")[:200]))

    def _constant(self, words: dict[str, str]) -> Tensor:
        shape = tuple(int(each) for each in words.get("shape", "")[:1000].split(",") if each.strip())
        size, offset = int(words.get("size", "0")[:20]), int(words["offset"][:20])
        told_type = words.get("element_type", "?")[:20]
        dtype = DTYPES.get(told_type, told_type)
        known = dtype in WIDTHS or dtype in BLOCKS
        if min(shape, default=0) < 0 or min(size, offset) < 0 or prod(shape) >= 1 << 62:
            raise BrokenError("has a constant that cannot be")
        if known and size_of(dtype, shape) != size:
            raise BrokenError(f"has a constant {self.layer[0][:80]!r} of another size than its shape", "lies")
        return Tensor(self.layer[0], dtype, shape, size, offset)


def sniff(head: Head) -> bool:
    """XML whose root is a net with layers."""
    start = head.data[:4096].lstrip(b"\xef\xbb\xbf \r\n\t")
    return start[:1] == b"<" and b"<net " in start and b"<layers>" in head.data


def _refuse(*_: object) -> None:
    raise BrokenError("declares entities, which no network needs", "deceptive")


@told
def read(file: File) -> Header:
    """The constants, with their offsets in the file beside it."""
    net = _Net()
    parser = expat.ParserCreate()
    parser.StartElementHandler = net.start
    parser.EntityDeclHandler = _refuse
    parser.StartDoctypeDeclHandler = _refuse
    if file.size > MOST:
        raise BrokenError(f"holds XML of {file.size:,} bytes", "too-large")
    try:
        for at in range(0, file.size, PIECE):
            parser.Parse(file.at(at, min(PIECE, file.size - at)), at + PIECE >= file.size)
    except expat.ExpatError as error:
        raise BrokenError(f"is no whole XML: {error}", "truncated") from error
    name = file.name.rpartition("/")[2].removesuffix(".xml") + ".bin"
    there = file.has(name)
    tensors = tuple(Tensor(t.name, t.dtype, t.shape, t.bytes, t.offset, file=name) for t in net.tensors)
    facts = dict(net.facts)
    made = facts.get("Runtime_version", facts.get("OpenVINO Runtime", ""))
    return Header(
        TITLE,
        f"IR {net.version}",
        tensors,
        complete=_reaches(file, name, max((t.bytes + (t.offset or 0) for t in tensors), default=0)) if there else True,
        architecture=net.name,
        framework=f"OpenVINO {made}".strip(),
        metadata=(*net.facts, ("operators", _common(net.kinds))),
        needs=(Need(name, there, "its constants"),) if tensors else (),
        loads=("openvino.Core().read_model(path)",),
    )


def _common(kinds: dict[str, int]) -> str:
    ranked = sorted(kinds.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ranked[:12])


def _reaches(file: File, name: str, end: int) -> bool:
    try:
        with file.neighbour(name) as other:
            return end <= other.size
    except (BrokenError, OSError):
        return False
