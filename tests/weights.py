"""Small model files with chosen tensors, written as the formats' specifications say."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

Raw = Mapping[str, tuple[str, list[int], bytes]]
"""By name the dtype, the shape and the bytes of each tensor."""


def safetensors(path: Path, tensors: Raw, pad: int = 4096) -> Path:
    """A safetensors file whose tensors begin at a multiple of `pad`."""
    at, header = 0, {}
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % pad)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for *_, data in tensors.values()))
    return path


def gguf(path: Path, data: bytes) -> Path:
    """A GGUF file with one tensor of bytes."""
    name, architecture = b"blk.0.weight", b"llama"
    key = b"general.architecture"
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    head += struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(architecture)) + architecture
    head += struct.pack("<Q", len(name)) + name + struct.pack("<IQIQ", 1, len(data), 24, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)
    return path
