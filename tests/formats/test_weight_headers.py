"""Whole files of weights, and what is not: real safetensors files and real torch archives, cut and stretched."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from modelyard.formats.weight_headers import Archive, Span, check_weights

WRITE = """
import sys, torch
from safetensors.torch import save_file
state = {"a": torch.arange(300.0), "b": torch.ones(7, 3, dtype=torch.bfloat16), "empty": torch.ones(0)}
save_file(state, sys.argv[1] + "/model.safetensors", {"format": "pt"})
torch.save(state, sys.argv[1] + "/pytorch_model.bin")
torch.save(state, sys.argv[1] + "/old.bin", _use_new_zipfile_serialization=False)
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the real libraries write."""
    folder = tmp_path_factory.mktemp("written")
    subprocess.run([sys.executable, "-c", WRITE, str(folder)], check=True)
    return folder


def span(content: bytes) -> Span:
    """Reads from memory."""
    return lambda start, size: content[start : start + size]


def check(content: bytes) -> None:
    """As of a file with this content."""
    check_weights(span(content), len(content))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_what_real_libraries_write_is_whole(name: str, written: Path) -> None:
    check((written / name).read_bytes())


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_truncated_anywhere_or_stretched_it_is_not(name: str, written: Path) -> None:
    content = (written / name).read_bytes()
    for end in (*range(0, len(content), 97), len(content) - 1):
        with pytest.raises(ValueError, match=r"\w"):
            check(content[:end])
    with pytest.raises(ValueError, match=r"\w"):
        check(content + bytes(100_000))
    with pytest.raises(ValueError, match=r"\w"):
        check(bytes(len(content)))


def test_what_cannot_be_told_is_not_called_whole(written: Path) -> None:
    with pytest.raises(ValueError, match="no header"):
        check((written / "old.bin").read_bytes())


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"a": 5}',
        b'{"a": {"data_offsets": [0]}}',
        b'{"a": {"data_offsets": [4, 0]}}',
        b'{"a": {"data_offsets": [0, 4]}, "b": {"data_offsets": [2, 8]}}',
        b'{"a": {"data_offsets": [0, 99999999999999999999]}}',
        b"[" * 50_000,
        b"\xff\xfe",
    ],
)
def test_hostile_headers_are_errors(header: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check(struct.pack("<Q", len(header)) + header + bytes(8))


def test_huge_header_is_not_read() -> None:
    def read(start: int, size: int) -> bytes:
        assert size <= 32 << 20
        return struct.pack("<Q", 1 << 60)[:size] if start == 0 else b""

    with pytest.raises(ValueError, match="no header"):
        check_weights(read, 1 << 61)


def test_hostile_member_that_would_unpack_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
    content = (tmp_path / "x.ckpt").read_bytes()
    with pytest.raises(ValueError, match="too long"):
        Archive(span(content), len(content)).member("data.pkl", 1 << 30)


def test_a_header_as_json_writes_it(tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}})
    check(struct.pack("<Q", len(header)) + header.encode() + bytes(4))
