"""An exported program of torch, `.pt2`: a graph as JSON, and the weights as members of a zip archive.

Layout: torch's `torch/export/pt2_archive` and `torch/_export/serde/schema.py`; before torch 2.8 `torch.export.save`
wrote other names.
"""

from __future__ import annotations

import re

import msgspec

from modelyard.formats.dtypes import size_of
from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Tensor
from modelyard.formats.json_text import decode
from modelyard.formats.sniffing import Head
from modelyard.formats.torch_values import is_dense
from modelyard.formats.zips import Directory, Member, directory, opened, start_of
from modelyard.problem import Problem

TITLE = "PyTorch exported program"
DTYPES = {
    1: "U8", 2: "I8", 3: "I16", 4: "I32", 5: "I64", 6: "F16", 7: "F32", 8: "F64", 10: "C64", 11: "C128", 12: "BOOL",
    13: "BF16", 28: "U16", 29: "F8_E4M3", 30: "F8_E5M2", 31: "F8_E4M3FNUZ", 32: "F8_E5M2FNUZ", 33: "F8_E8M0",
    34: "U32", 35: "U64",
}  # fmt: skip
"""ScalarType of the schema."""
CONFIG = re.compile(r"(.*?)data/(weights|constants)/[^/]*_config\.json")
OLD_STATE = "serialized_state_dict.pt"
VERSION = re.compile(rb'"torch_version": ?"([^"]{1,40})"')


class _Side(msgspec.Struct):
    as_int: int = 0


class _Meta(msgspec.Struct):
    dtype: int
    sizes: list[_Side]
    strides: list[_Side] = []
    storage_offset: _Side = msgspec.field(default_factory=_Side)


class _Weight(msgspec.Struct):
    path_name: str
    tensor_meta: _Meta | None = None


class _Config(msgspec.Struct):
    config: dict[str, _Weight]


def sniff(head: Head) -> bool:
    """The name of the archive's format, or the members of its older form."""
    below = head.below | set(head.names)
    return "archive_format" in below or "serialized_exported_program.json" in below


@told
def read(file: File) -> Header:
    """The weights with their offsets, and the version of torch that exported them."""
    found = directory(file)
    tensors: list[Tensor] = []
    for member in found.members:
        config = CONFIG.fullmatch(member.name)
        if config:
            folder = f"{config[1]}data/{config[2]}/"
            table = decode(opened(file, member).whole(8 << 20), _Config).config
            tensors += [_tensor(file, found, folder, name, each) for name, each in table.items() if each.tensor_meta]
    old = found.ending(OLD_STATE)
    version = found.ending("archive_version") or found.ending("version")
    return Header(
        TITLE,
        opened(file, version).head(40).decode("utf-8", "replace").strip() if version else "",
        tuple(tensors),
        framework=f"PyTorch {_torch(file, found)}".strip(),
        loads=("torch.export.load(path)",),
        parts=_part(file, old) if old else (),
        notes=_libraries(found),
    )


def _tensor(file: File, found: Directory, folder: str, name: str, weight: _Weight) -> Tensor:
    meta = weight.tensor_meta
    member = found.find(folder + weight.path_name)
    if meta is None or member is None:
        raise BrokenError(f"names a weight {name[:80]!r} that is not there")
    shape = tuple(each.as_int for each in meta.sizes)
    strides = tuple(each.as_int for each in meta.strides)
    dtype = DTYPES.get(meta.dtype, f"type {meta.dtype}")
    if any(side < 0 for side in (*shape, *strides)) or meta.storage_offset.as_int < 0 or meta.dtype not in DTYPES:
        raise BrokenError(f"has a weight {name[:80]!r} that cannot be")
    start = start_of(file, member)
    offset = None if start is None else start + meta.storage_offset.as_int * size_of(dtype, (1,))
    dense = not strides or is_dense(shape, strides)
    size = size_of(dtype, shape)
    return Tensor(name, dtype, shape, size, offset, member.name, "", None if dense else strides, member.name)


def _torch(file: File, found: Directory) -> str:
    """The version of torch, which stands near the end of the graph."""
    graph = next((each for each in found.members if each.name.endswith(("models/model.json", "program.json"))), None)
    if graph is None:
        return ""
    told_version = VERSION.search(opened(file, graph).tail(65536))
    return told_version[1].decode("ascii", "replace") if told_version else ""


def _part(file: File, member: Member) -> tuple[tuple[str, Header], ...]:
    inside = opened(file, member).header()
    return () if isinstance(inside, Problem) else ((member.name, inside),)


def _libraries(found: Directory) -> tuple[str, ...]:
    native = [each.name for each in found.members if each.name.endswith((".so", ".dll", ".dylib", ".cubin"))]
    return (f"holds compiled code: {', '.join(native[:5])}",) if native else ()
