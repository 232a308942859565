"""A model in several files: the index that says which tensor lies in which file.

Layout: `save_torch_state_dict` of huggingface_hub; the same for safetensors and for torch.
"""

from __future__ import annotations

import re

import msgspec
from msgspec.structs import replace

from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header, Need, Tensor
from modelyard.formats.json_text import decode
from modelyard.formats.sniffing import Head
from modelyard.problem import Problem

TITLE = "model in several files"
SIGN = re.compile(rb'"weight_map"\s*:\s*\{')
MOST_FILES = 1024
MOST_TENSORS = 65_536


class _Index(msgspec.Struct):
    weight_map: dict[str, str]
    metadata: dict[str, msgspec.Raw] = {}


def sniff(head: Head) -> bool:
    """A JSON object with the map."""
    return head.data.lstrip()[:1] == b"{" and bool(SIGN.search(head.data))


@told
def read(file: File) -> Header:
    """The tensors of every file that is there; the map is held against what the files say."""
    index = decode(file.whole(12 << 20), _Index)
    names = sorted(set(index.weight_map.values()))
    if len(names) > MOST_FILES or len(index.weight_map) > MOST_TENSORS:
        raise BrokenError(f"names {len(names):,} files and {len(index.weight_map):,} tensors", "too-large")
    needs = tuple(Need(name, file.has(name), "its tensors") for name in names)
    tensors: list[Tensor] = []
    notes: list[str] = []
    parts: list[Header] = []
    for need in needs:
        if not need.exists:
            continue
        found = _shard(file, need.path)
        if isinstance(found, str):
            notes.append(f"{need.path}: {found}")
        else:
            parts.append(found)
            tensors += [replace(each, file=need.path, storage=_own(need.path, each.storage)) for each in found.tensors]
    missing = len(index.weight_map.keys() - {each.name for each in tensors})
    if missing:
        notes.append(f"{missing:,} of the {len(index.weight_map):,} tensors in its map are not there")
    first = parts[0] if parts else Header("")
    size = index.metadata.get("total_size")
    return Header(
        f"{first.format} in {len(names)} files" if parts else TITLE,
        first.version,
        tuple(tensors),
        complete=not missing and all(each.complete for each in parts),
        architecture=first.architecture,
        framework=first.framework,
        metadata=(("total_size", bytes(size).decode("ascii", "replace")[:24]),) if size is not None else (),
        needs=needs,
        loads=("transformers.AutoModel.from_pretrained(folder)",),
        notes=tuple(notes[:20]),
    )


def _own(name: str, storage: str) -> str:
    return f"{name}:{storage}" if storage else ""


def _shard(file: File, name: str) -> Header | str:
    try:
        with file.neighbour(name) as other:
            found = other.header()
    except BrokenError as error:
        return str(error)
    except OSError as error:
        return error.strerror or "cannot be read"
    return found.message if isinstance(found, Problem) else found
