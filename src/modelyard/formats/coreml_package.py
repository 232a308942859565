"""A Core ML package, `.mlpackage`: a folder whose manifest names the model."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Need
from modelyard.formats.json_text import decode
from modelyard.formats.sniffing import Head
from modelyard.problem import Problem

TITLE = "Core ML package"


class _Item(msgspec.Struct):
    path: str
    name: str = ""


class _Manifest(msgspec.Struct):
    itemInfoEntries: dict[str, _Item]  # noqa: N815 - Apple's names
    rootModelIdentifier: str  # noqa: N815
    fileFormatVersion: str = ""  # noqa: N815


def sniff(head: Head) -> bool:
    """A manifest that names a root model."""
    return head.data.lstrip()[:1] == b"{" and b'"rootModelIdentifier"' in head.data


@told
def read(file: File) -> Header:
    """The header of the model that the manifest names, with all paths relative to the package."""
    manifest = decode(file.whole(1 << 20), _Manifest)
    root = manifest.itemInfoEntries.get(manifest.rootModelIdentifier)
    if root is None:
        raise BrokenError("names no model")
    path = f"Data/{root.path}"
    needs = [
        Need(f"Data/{each.path}", file.has(f"Data/{each.path}"), each.name)
        for each in manifest.itemInfoEntries.values()
    ]
    if not file.has(path):
        return Header(TITLE, manifest.fileFormatVersion, needs=tuple(needs[:64]))
    with file.neighbour(path) as model:
        inside = model.header()
    if isinstance(inside, Problem):
        raise BrokenError(f"has a model that {inside.message}", inside.code)
    folder = path.rpartition("/")[0]
    tensors = tuple(replace(each, file=f"{folder}/{each.file}" if each.file else path) for each in inside.tensors)
    return replace(inside, format=TITLE, tensors=tensors, needs=tuple(needs[:64]))
