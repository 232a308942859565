"""Formats whose makers cannot be had cheaply, built byte by byte from their documented layouts."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy
import pytest
import torch

from formats.checks import header, holds, problem
from formats.hostile import varint

WEIGHTS = numpy.arange(12, dtype="<f4").reshape(3, 4)


def test_a_tensorrt_engine(home: Path) -> None:
    (home / "m").write_bytes(b"ftrt" + bytes(2000))
    found = header(home / "m")
    assert (found.format, found.tensors) == ("TensorRT engine", ())
    assert found.notes


@pytest.mark.parametrize("aligned", [True, False])
def test_ggml_of_llama(aligned: bool, home: Path) -> None:
    data = (b"tjgg" if aligned else b"fmgg") + struct.pack("<i", 3 if aligned else 1)
    data += struct.pack("<7i", 2, 64, 256, 4, 1, 16, 2)
    data += b"".join(struct.pack("<i", len(word)) + word + struct.pack("<f", 0) for word in (b"a", b"bc"))
    arrays = {"f": WEIGHTS, "g": numpy.arange(7, dtype="<f2")}
    for name, array in arrays.items():
        sides = array.shape[::-1]
        data += struct.pack("<3i", len(sides), len(name), 0 if array.itemsize == 4 else 1)
        data += struct.pack(f"<{len(sides)}i", *sides) + name.encode()
        data += bytes(-len(data) % 32) if aligned else b""
        data += array.tobytes()
    (home / "m").write_bytes(data)
    found = header(home / "m")
    holds(home / "m", found, arrays)
    assert (found.architecture, found.complete, dict(found.metadata)["n_layer"]) == ("llama", True, "1")
    (home / "m").write_bytes(data[:-5])
    assert not header(home / "m").complete


def test_ggml_of_whisper_and_of_others(home: Path) -> None:
    data = b"lmgg" + struct.pack("<11i", 51864, 1500, 384, 6, 4, 448, 384, 6, 4, 80, 1)
    data += struct.pack("<2i", 2, 3) + bytes(4 * 6) + struct.pack("<ii", 1, 2) + b"ab"
    data += struct.pack("<3i", 2, 1, 0) + struct.pack("<2i", 4, 3) + b"w" + WEIGHTS.tobytes()
    (home / "m").write_bytes(data)
    found = header(home / "m")
    holds(home / "m", found, {"w": WEIGHTS})
    assert found.architecture == "whisper"
    (home / "m").write_bytes(b"lmgg" + b"something else entirely" * 100)
    assert header(home / "m").notes


def tar_of_torch() -> bytes:
    """What torch wrote before 0.1.10: a matrix and a view of its second row."""
    storages = pickle.dumps(1, 2) + pickle.dumps((7, "cpu", torch.FloatStorage), 2)
    storages += struct.pack("<q", 12) + WEIGHTS.tobytes() + pickle.dumps([], 2)
    tensors = pickle.dumps(2, 2)
    for key, shape, first in ((1, (3, 4), 0), (2, (4,), 4)):
        steps = (4, 1)[-len(shape) :]
        tensors += pickle.dumps((key, 7, torch.FloatTensor), 2) + struct.pack("<i4x", len(shape))
        tensors += struct.pack(f"<{2 * len(shape) + 1}q", *shape, *steps, first)
    named = b"\x80\x02}(X\x01\x00\x00\x00wK\x01QX\x01\x00\x00\x00vK\x02Qu."
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in (
            ("sys_info", pickle.dumps({})),
            ("pickle", named),
            ("storages", storages),
            ("tensors", tensors),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def test_torch_tar(home: Path) -> None:
    (home / "m").write_bytes(tar_of_torch())
    loaded = torch.load(home / "m", weights_only=False)
    assert loaded["v"].tolist() == [4.0, 5.0, 6.0, 7.0]
    found = header(home / "m")
    holds(home / "m", found, {"w": WEIGHTS, "v": WEIGHTS[1]})
    assert (found.format, found.parameters) == ("PyTorch, tar", 12)


def field(number: int, data: bytes | int) -> bytes:
    """One field of protobuf."""
    if isinstance(data, int):
        return varint(number << 3) + varint(data)
    return varint(number << 3 | 2) + varint(len(data)) + data


def table(rows: dict[bytes, bytes]) -> bytes:
    """A sorted table of one block."""
    block = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in rows.items())
    block += struct.pack("<II", 0, 1)
    handle = varint(0) + varint(len(block))
    index = varint(0) + varint(1) + varint(len(handle)) + b"z" + handle + struct.pack("<II", 0, 1)
    data = block + bytes(5)
    empty = struct.pack("<II", 0, 1)
    places = varint(len(data)) + varint(len(empty)) + varint(len(data) + len(empty) + 5) + varint(len(index))
    return (
        data + empty + bytes(5) + index + bytes(5) + places.ljust(40, b"\0") + 0xDB4775248B80FB57.to_bytes(8, "little")
    )


def checkpoint(folder: Path) -> None:
    """A TensorFlow checkpoint of one matrix at byte 8 of its data file."""
    shape = field(2, field(1, 3)) + field(2, field(1, 4))
    entry = field(1, 1) + field(2, shape) + field(4, 8) + field(5, 48)
    folder.mkdir(exist_ok=True)
    (folder / "variables.index").write_bytes(table({b"": field(1, 1), b"layer/kernel": entry}))
    (folder / "variables.data-00000-of-00001").write_bytes(bytes(8) + WEIGHTS.tobytes())


def test_a_tensorflow_checkpoint(home: Path) -> None:
    checkpoint(home)
    found = header(home / "variables.index")
    holds(home / "variables.index", found, {"layer/kernel": WEIGHTS})
    assert (found.format, found.complete) == ("TensorFlow checkpoint", True)
    (home / "variables.data-00000-of-00001").write_bytes(bytes(20))
    assert not header(home / "variables.index").complete


def test_a_saved_model(home: Path) -> None:
    checkpoint(home / "variables")
    node = field(1, b"n") + field(2, b"MatMul")
    meta = field(1, field(4, b"serve") + field(5, b"2.21.0")) + field(2, field(1, node))
    (home / "saved_model.pb").write_bytes(field(1, 1) + field(2, meta + field(5, field(1, b"serving_default"))))
    found = header(home / "saved_model.pb")
    holds(home / "saved_model.pb", found, {"layer/kernel": WEIGHTS})
    assert (found.format, found.framework) == ("TensorFlow SavedModel", "TensorFlow 2.21.0")
    assert {("tags", "serve"), ("signatures", "serving_default"), ("operators", "MatMul 1")} <= set(found.metadata)


def flatbuffer() -> bytes:
    """A TensorFlow Lite file: root, one subgraph with one tensor, and its buffer; every offset by hand."""
    data = bytearray(512)

    def put(at: int, code: str, *values: int) -> None:
        struct.pack_into("<" + code, data, at, *values)

    put(0, "I4s", 32, b"TFL3")  # type: ignore[arg-type]
    put(12, "7H", 14, 20, 4, 0, 8, 0, 12)  # fields of Model: version, subgraphs, buffers
    put(32, "iIII", 20, 3, 60 - 40, 80 - 44)
    put(60, "II", 1, 100 - 64)  # subgraphs
    put(80, "III", 2, 140 - 84, 160 - 88)  # buffers: the first one is empty
    put(92, "3H", 6, 8, 4)  # fields of SubGraph: tensors
    put(100, "iI", 8, 120 - 104)
    put(120, "II", 1, 200 - 124)
    put(132, "2H", 4, 4)  # fields of Buffer, without data
    put(140, "i", 8)
    put(150, "3H", 6, 8, 4)  # fields of Buffer: data
    put(160, "iI", 10, 260 - 164)
    put(184, "6H", 12, 16, 4, 0, 8, 12)  # fields of Tensor: shape, buffer, name
    put(200, "iIII", 16, 220 - 204, 1, 240 - 212)
    put(220, "3I", 2, 3, 4)
    put(240, "I", 1)
    data[244:245] = b"w"
    put(260, "I", 48)
    data[264:312] = WEIGHTS.tobytes()
    return bytes(data)


def test_tensorflow_lite(home: Path) -> None:
    (home / "m").write_bytes(flatbuffer())
    found = header(home / "m")
    assert (found.format, found.version) == ("TensorFlow Lite", "3")
    holds(home / "m", found, {"w": WEIGHTS})


def test_nemo_and_a_packed_one(home: Path) -> None:
    torch.save({"w": torch.arange(12.0).view(3, 4)}, home / "model_weights.ckpt")
    (home / "model_config.yaml").write_text("target: nemo.asr.EncDecCTCModel\nnemo_version: 2.1.0\n")
    for mode, name in (("w", "m.nemo"), ("w:gz", "p.nemo")):
        with tarfile.open(home / name, mode) as archive:  # type: ignore[call-overload]
            for inside in ("model_config.yaml", "model_weights.ckpt"):
                archive.add(home / inside, f"./{inside}")
    found = header(home / "m.nemo")
    holds(home / "m.nemo", found, {"w": WEIGHTS})
    assert (found.format, found.framework, found.architecture) == ("NeMo", "NeMo 2.1.0", "EncDecCTCModel")
    packed = header(home / "p.nemo")
    assert (packed.format, packed.parameters) == ("NeMo, packed by gzip", 12)


def test_an_archive_of_models(home: Path) -> None:
    numpy.save(home / "w.npy", WEIGHTS)
    torch.save({"w": torch.zeros(3)}, home / "w.pt")
    (home / "readme.txt").write_text("what is in here, in some words")
    with zipfile.ZipFile(home / "all.zip", "w") as archive, tarfile.open(home / "all.tar", "w") as tar:
        for name in ("readme.txt", "w.npy", "w.pt"):
            archive.write(home / name, name)
            tar.add(home / name, name)
    for name in ("all.zip", "all.tar"):
        assert [(inside, each.format) for inside, each in header(home / name).parts] == [
            ("w.npy", "NumPy array"),
            ("w.pt", "PyTorch"),
        ]


def test_parts_of_a_split_gguf(home: Path) -> None:
    key = struct.pack("<Q", 11) + b"split.count" + struct.pack("<IH", 2, 2)
    for number in (1, 2):
        (home / f"m-{number:05d}-of-00002.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + key)
    first = home / "m-00001-of-00002.gguf"
    assert [(each.path, each.exists) for each in header(first).needs] == [("m-00002-of-00002.gguf", True)]
    (home / "m-00002-of-00002.gguf").unlink()
    assert [each.exists for each in header(first).needs] == [False]


def test_settings_and_tokenizers(home: Path) -> None:
    from tokenizers import Tokenizer, models

    vocabulary = {f"word{number}": number for number in range(500)}
    Tokenizer(models.WordLevel(vocabulary, unk_token="word0")).save(str(home / "tokenizer.json"))
    found = header(home / "tokenizer.json")
    assert (found.format, found.architecture, dict(found.metadata)["words"]) == ("tokenizer", "WordLevel", "about 500")
    settings = {"model_type": "own", "auto_map": {"AutoModel": "modeling.Own", "AutoConfig": "a/b--other.Own"}}
    (home / "config.json").write_text(json.dumps(settings | {"quantization_config": {"bits": 4}}))
    found = header(home / "config.json")
    assert (found.format, found.architecture) == ("configuration", "own")
    assert [(each.path, each.exists) for each in found.needs] == [("modeling.py", False)]
    assert ("quantization_config.bits", "4") in found.metadata


def test_what_is_no_model(home: Path) -> None:
    for name, data in (("a", b""), ("b", b"some words\n" * 99), ("c", b"{}"), ("d", b"\x89PNG\r\n\x1a\n" + bytes(99))):
        (home / name).write_bytes(data)
        assert problem(home / name).code == "unknown", name


def test_local_headers_that_disagree(home: Path) -> None:
    from modelyard.formats.file import File, looked_into
    from modelyard.formats.zips import directory, local

    with zipfile.ZipFile(home / "m.zip", "w") as archive:
        archive.writestr("first", b"x" * 50)
    data = bytearray((home / "m.zip").read_bytes())
    data[6] |= 1
    data[30:35] = b"other"
    (home / "m.zip").write_bytes(data)
    with looked_into(str(home / "m.zip")) as file:
        assert isinstance(file, File)
        (member,) = directory(file).members
        assert local(file, member).disagreements(member) == ("name", "encryption")
