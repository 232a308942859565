"""Damaged and hostile files: a verdict always comes out, within bounds, and what held a payload never becomes safe."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from modelyard.safety.files import scan_file
from modelyard.safety.finding import VERDICTS
from safety.judged import scanned
from safety.payloads import benign, stream, system, torch_zip

ROUNDS = 150


def seeds(folder: Path) -> dict[str, bytes]:
    """One honest file of each kind, and hostile ones."""
    evil = stream(system(folder / "marker"))
    state = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2).state_dict(), state)
    old = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2).state_dict(), old, _use_new_zipfile_serialization=False)
    array, packed, tape = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(array, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Lambda"}))
        archive.writestr("metadata.json", "{}")
        archive.writestr("inner.pkl", evil)
    with tarfile.open(fileobj=tape, mode="w") as archive_of_tar:
        info = tarfile.TarInfo("pickle")
        info.size = len(evil)
        archive_of_tar.addfile(info, io.BytesIO(evil))
    table = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    key = b"tokenizer.chat_template"
    return {
        "m.pt": state.getvalue(), "old.pt": old.getvalue(), "a.npy": array.getvalue(), "m.keras": packed.getvalue(),
        "m.tar": tape.getvalue(), "evil.pt": torch_zip(evil), "m.pkl": benign(), "m.pkl.gz": gzip.compress(evil),
        "m.safetensors": struct.pack("<Q", len(table)) + table + bytes(4), "config.json": b'{"auto_map": {"a": "b.c"}}',
        "m.gguf": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, len(key)) + key + struct.pack("<IQ", 8, 5) + b"{{a}}",
        "m.onnx": b"\x08\x07\x12\x01a\x3a\x04\x0a\x02\x22\x00", "model.h5": b"\x89HDF\r\n\x1a\n" + bytes(range(200)),
    }  # fmt: skip


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Cut, flipped, grown or spliced."""
    found = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(found) + 1)
        match rng.randrange(4):
            case 0:
                del found[at:]
            case 1:
                found[at : at + 1] = bytes([rng.randrange(256)])
            case 2:
                found[at:at] = rng.randbytes(rng.randrange(1, 40))
            case 3:
                found[at : at + 8] = rng.choice([b"\xff" * 8, bytes(8), b"\xff\xff\xff\x7f"])
    return bytes(found)


@pytest.mark.parametrize("called", list(seeds(Path("unused"))))
def test_damage_gives_a_verdict_and_never_an_exception(tmp_path: Path, called: str) -> None:
    rng = random.Random(called)
    seed = seeds(tmp_path)[called]
    path = tmp_path / called
    for _ in range(ROUNDS):
        path.write_bytes(damaged(rng, seed))
        began = time.process_time()
        told = scan_file(str(path))
        assert told.verdict in VERDICTS and time.process_time() - began < 5
        assert all(
            each.runs and each.code and len(each.runs) < 2000 and each.runs.isprintable() for each in told.findings
        )
    assert not (tmp_path / "marker").exists()


def test_a_payload_is_found_however_the_file_ends(tmp_path: Path) -> None:
    evil = stream(system(tmp_path / "marker"))
    whole = b"\x80\x04" + evil[2:-1]
    for cut in range(len(whole) + 1, len(whole) + 40):
        tail = (b"N0" * 40)[: cut - len(whole)]
        assert scanned(tmp_path, whole + tail).verdict == "dangerous"


def test_bombs_take_neither_memory_nor_time(tmp_path: Path) -> None:
    def bomb(data: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/data.pkl", data)
        return out.getvalue()

    zeros = zlib.compress(bytes(200 << 20), 9)
    huge = struct.pack("<Q", (1 << 63) - 1) + b"{}" + bytes(64)
    deep = b'{"a":' * 100_000
    bombs = {"m.pkl.z": zeros, "m.safetensors": huge, "config.json": deep, "m.pt": bomb(bytes(64 << 20))}
    tracemalloc.start()
    for called, data in bombs.items():
        tracemalloc.reset_peak()
        held, began = tracemalloc.get_traced_memory()[0], time.process_time()
        told = scanned(tmp_path, data, called)
        assert time.process_time() - began < 20 and told.verdict in ("unknown", "safe"), called
        assert tracemalloc.get_traced_memory()[1] - held < 64 << 20, called
    tracemalloc.stop()


def test_a_long_packed_pickle_is_followed_to_its_end(tmp_path: Path) -> None:
    """Longer than what is unpacked into memory: the payload stands behind 40 MB."""
    long = b"\x80\x04B" + struct.pack("<I", 40 << 20) + bytes(40 << 20) + b"0"
    for rest, verdict in ((b"N.", "safe"), (system(tmp_path / "marker") + b".", "dangerous")):
        assert scanned(tmp_path, zlib.compress(long + rest, 1), "m.joblib").verdict == verdict
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("archive/data.pkl", long + rest)
        assert scanned(tmp_path, out.getvalue(), "m.pt").verdict == verdict


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(benign() + b"\x80\x04X" + struct.pack("<I", 300_000) + bytes(300_000) + b".")
    real = __import__("os").pread

    def short(descriptor: int, count: int, offset: int) -> bytes:
        return bytes(real(descriptor, count, offset)) if offset < 60_000 else b""

    monkeypatch.setattr("os.pread", short)
    assert scan_file(str(path)).verdict == "unknown"
