"""Every format cut, flipped, grown and spliced: a header or a problem, never an exception."""

from __future__ import annotations

import io
import pickle
import random
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
import safetensors.numpy
import torch

from formats.hostile import HOSTILE, content
from formats.test_built import checkpoint, field, flatbuffer, tar_of_torch
from modelyard.formats.header import Header
from modelyard.formats.known import read_header
from modelyard.problem import Problem

ROUNDS = 400


def torch_files() -> Iterator[tuple[str, bytes]]:
    """The same module in torch's formats."""
    whole = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    for name, zipped in (("torch zip", True), ("torch legacy", False)):
        out = io.BytesIO()
        torch.save({"epoch": 3, "model": whole.state_dict()}, out, _use_new_zipfile_serialization=zipped)
        yield name, out.getvalue()
    out = io.BytesIO()
    torch.jit.save(torch.jit.script(whole), out)
    yield "TorchScript", out.getvalue()
    out = io.BytesIO()
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),)), out)
    yield "pt2", out.getvalue()
    yield "torch tar", tar_of_torch()


def other_files() -> Iterator[tuple[str, bytes]]:
    """One small file of every other format that needs no framework."""
    yield "safetensors", safetensors.numpy.save({"a": numpy.zeros((2, 3)), "b": numpy.ones(4, "f2")}, {"format": "np"})
    keys = struct.pack("<Q", 20) + b"general.architecture" + struct.pack("<IQ", 8, 5) + b"llama"
    row = struct.pack("<Q", 1) + b"w" + struct.pack("<IQQIQ", 2, 32, 4, 2, 0)
    yield "GGUF", b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + keys + row + bytes(200)
    yield "pickle", pickle.dumps({"w": numpy.arange(400.0), "n": [1, {"a": (2.5, None)}]})
    yield "old pickle", pickle.dumps({"w": numpy.arange(4.0), "n": [1, "é"]}, 0)
    out = io.BytesIO()
    numpy.savez(out, a=numpy.zeros(3), b=numpy.ones(4))
    yield "npz", out.getvalue()
    yield "TensorFlow Lite", flatbuffer()
    tensor = field(1, 3) + field(2, 1) + field(8, b"w") + field(9, bytes(12))
    yield "ONNX", field(1, 8) + field(2, b"me") + field(7, field(2, b"g") + field(5, tensor)) + field(8, field(2, 20))
    meta = field(1, field(4, b"serve")) + field(2, field(1, field(2, b"MatMul")))
    yield "SavedModel", field(1, 1) + field(2, meta)
    yield "Core ML", field(1, 5) + field(2, field(1, field(1, b"x"))) + field(500, field(1, field(1, b"d")))
    yield "HDF5", hdf5()
    yield "Flax", b"\x81\xa1a\xc7\x10\x01\x93\x91\x02\xa7float32\xc4\x08" + bytes(8)
    yield "ggjt", b"tjgg" + struct.pack("<8i", 3, 1, 64, 256, 4, 1, 16, 2) + struct.pack("<i", 1) + b"a" + bytes(60)
    yield "OpenVINO", b'<?xml version="1.0"?><net name="n" version="11"><layers><layer name="c" type="Const"><data '\
        b'element_type="f32" shape="2" offset="0" size="8"/></layer></layers></net>'  # fmt: skip
    yield "XGBoost", b'{"learner":{"objective":{"name":"reg:squarederror"}},"version":[3,2,0]}'
    yield "XGBoost, binary", b"{L\0\0\0\0\0\0\0\x07learner{L\0\0\0\0\0\0\0\x09num_treesSL\0\0\0\0\0\0\0\x013}}"
    yield "LightGBM", b"tree\nversion=v4\nfeature_names=a b\ntree_sizes=350 357\n\nTree=0\nend of trees\n"
    yield "CatBoost", b"CBM1" + struct.pack("<I", 400) + flatbuffer()
    yield "index", b'{"metadata":{"total_size":8},"weight_map":{"a":"m-1","b":"m-2"}}'
    yield "settings", b'{"model_type":"bert","auto_map":{"AutoModel":"m.M"},"architectures":["B"]}'
    yield "tokenizer", b'{"version":"1.0","truncation":null,"model":{"type":"BPE","vocab":{"a":1}}}'
    yield "package", b'{"itemInfoEntries":{"a":{"path":"m"}},"rootModelIdentifier":"a"}'
    yield from archives()


def hdf5() -> bytes:
    """The hostile group, which is a whole file otherwise."""
    path = Path("circle")
    HOSTILE["a group that contains itself"](path)
    return path.read_bytes()


def archives() -> Iterator[tuple[str, bytes]]:
    """Archives of small models, stored and packed."""
    inside = {
        "config.json": b'{"class_name":"Sequential"}',
        "metadata.json": b'{"keras_version":"3"}',
        "model.weights.h5": hdf5(),
    }
    skops = {"schema.json": b'{"__class__":"A","__module__":"b","content":{"x":{"file":"1.npy"}}}', "1.npy": bytes(99)}
    for name, members in (("Keras", inside), ("skops", skops)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, data in members.items():
                archive.writestr(each, data)
        yield name, out.getvalue()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for each in ("model_config.yaml", "x" * 150):
            member = tarfile.TarInfo(each)
            member.size = 30
            tar.addfile(member, io.BytesIO(bytes(30)))
    yield "NeMo", out.getvalue()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One file of every format."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = {**dict(torch_files()), **dict(other_files())}
        checkpoint(folder / "c")
    return made | {"TensorFlow checkpoint": (folder / "c" / "variables.index").read_bytes()}


def changed(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """The file with one kind of damage."""
    out = bytearray(data)
    at, kind = chance.randrange(len(out)), chance.randrange(6)
    if kind == 0:
        del out[at:]
    elif kind == 1:
        for _ in range(chance.randrange(1, 8)):
            out[chance.randrange(len(out))] = chance.randrange(256)
    elif kind == 2:
        out[at:at] = chance.randbytes(chance.randrange(1, 64))
    elif kind == 3:
        other = chance.choice(others)
        start = chance.randrange(len(other))
        out[at:at] = other[start : start + chance.randrange(1, 500)]
    elif kind == 4:
        width = chance.choice((1, 2, 4, 8))
        out[at : at + width] = chance.choice((b"\xff", b"\x7f", b"\0", b"\x80")) * width
    else:
        del out[at : at + chance.randrange(1, 64)]
    return bytes(out)


@pytest.mark.filterwarnings("ignore")
def test_a_header_or_a_problem(whole: dict[str, bytes], home: Path) -> None:
    chance = random.Random(20)
    answers = {"header": 0, "problem": 0}
    for data in whole.values():
        for _ in range(ROUNDS):
            content(changed(data, list(whole.values()), chance))(home / "m")
            found = read_header(str(home / "m"))
            if isinstance(found, Header):
                assert min(found.parameters, found.bits_per_weight, len(found.dtypes)) >= 0
            else:
                assert isinstance(found, Problem)
                assert found.message
            answers["header" if isinstance(found, Header) else "problem"] += 1
    assert min(answers.values()) > len(whole) * ROUNDS / 10


def test_the_files_are_headers_before_they_are_changed(whole: dict[str, bytes], home: Path) -> None:
    known = {"HDF5", "Keras", "skops", "CatBoost", "package"}  # made to be broken, or naming what is not there
    for name, data in whole.items():
        (home / "m").write_bytes(data)
        if name not in known:
            assert isinstance(read_header(str(home / "m")), Header), name
