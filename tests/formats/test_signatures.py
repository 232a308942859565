"""Model files told by their first bytes: real files of real libraries, and what must not be taken for one."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy
import pytest
import safetensors.numpy
import torch

from modelyard.formats.signatures import HEAD, model_format


def head(path: Path) -> bytes:
    """The first bytes of a file."""
    return path.read_bytes()[:HEAD]


def test_what_torch_writes(home: Path) -> None:
    state = {"weight": torch.zeros(100)}
    torch.save(state, home / "new.bin")
    torch.save(state, home / "old.bin", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), home / "script.bin")
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),)), home / "program.pt2")
    found = {path.name: model_format(head(path)) for path in home.iterdir()}
    assert found == {
        "new.bin": "PyTorch",
        "old.bin": "PyTorch, before 1.6",
        "script.bin": "PyTorch",
        "program.pt2": "PyTorch",
    }


def test_what_safetensors_writes(home: Path) -> None:
    safetensors.numpy.save_file({"w": numpy.zeros(10)}, home / "w", metadata={"format": "pt"})
    safetensors.numpy.save_file({}, home / "empty")
    assert {model_format(head(path)) for path in home.iterdir()} == {"safetensors"}


def test_an_exported_graph(home: Path) -> None:
    """The first bytes of an ONNX file as two exporters write them: version, then producer or graph."""
    producer = b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x80\x04" + bytes(500)
    graph = b"\x08\x0a:\x90\x03\n\x07" + bytes(400)
    assert [model_format(each) for each in (producer, graph)] == ["ONNX", "ONNX"]


def test_pickles_are_models_when_a_framework_stands_in_them() -> None:
    module = pickle.dumps(torch.nn.Linear(2, 2))
    assert model_format(module) == "pickle"
    assert model_format(pickle.dumps({"a": [1, 2, 3]})) == ""
    assert model_format(pickle.dumps(numpy.zeros(10))) == ""


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"GGUF\x03\0\0\0", "GGUF"),
        (b"tjgg\x03\0\0\0", "GGML"),
        (b"\x1c\0\0\0TFL3" + bytes(40), "TFLite"),
        (b"{L\0\0\0\0\0\0\0\x07learner{", "XGBoost"),
        (b"tree\nversion=v4\nnum_class=1", "LightGBM"),
        (b"CBM1" + bytes(40), "CatBoost"),
    ],
)
def test_signatures(first: bytes, name: str) -> None:
    assert model_format(first) == name


def test_archives_of_other_things_are_no_models() -> None:
    for name in ("photos/a.jpg", "arr_0.npy", "word/document.xml", "META-INF/MANIFEST.MF"):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(name, b"x" * 1000)
        assert model_format(packed.getvalue()) == ""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("notes.txt"))
    assert model_format(packed.getvalue()) == ""


def test_a_keras_archive_and_a_nemo_archive() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("metadata.json", "{}")
    assert model_format(packed.getvalue()) == "Keras"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("model_config.yaml"))
    assert model_format(packed.getvalue()) == "NeMo"


def test_no_head_makes_it_fail_and_none_takes_long() -> None:
    whole = [
        b"",
        b"PK\x03\x04" * 16000,
        b"\x08\x01\x12\x40" + b"a" * HEAD,
        b"\x80\x04" * 30000,
        b"\x89HDF\r\n\x1a\n" * 8000,
    ]
    whole += [struct.pack("<Q", length) + b'{"' for length in (0, 1, 2**63, 10)]
    whole += [os.urandom(length) for length in range(64)]
    text = json.dumps({"__metadata__": {}}).encode()
    whole += [(struct.pack("<Q", len(text)) + text)[:length] for length in range(20)]
    for each in whole:
        for length in (len(each), len(each) // 2):
            assert model_format(each[:length]) in ("", "safetensors", "ONNX")
