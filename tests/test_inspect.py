"""`modelyard inspect` as a person types it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import numpy
import pytest
import safetensors.numpy
import torch

import makers
from modelyard.cli import documents
from typed import Run

SCREEN = """\
model.safetensors
Format        safetensors
Made by       PyTorch
Parameters    1,024 in 2 tensors
Precision     F32 99%, F16 1%, 31.75 bits a weight
Size          4.15 KiB, complete
Loaded by     safetensors.torch.load_file(path)
  format: pt
"""
TENSORS = """\

Tensor\tDtype\tShape\tBytes\tOffset\tIn
layer.bias\tF16\t16x1\t32\t4216\t
layer.weight\tF32\t16x63\t4032\t184\t
"""


@pytest.fixture
def model(home: Path) -> Path:
    """A small model of two precisions."""
    arrays = {"layer.weight": numpy.ones((16, 63), "f4"), "layer.bias": numpy.ones((16, 1), "f2")}
    safetensors.numpy.save_file(arrays, home / "model.safetensors", metadata={"format": "pt"})
    return home / "model.safetensors"


def test_one_screen_a_file(run: Run, model: Path) -> None:
    answer = run("inspect", model.name)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == SCREEN


def test_every_tensor(run: Run, model: Path) -> None:
    answer = run("inspect", model.name, "--tensors")
    assert sorted(answer.out.splitlines()) == sorted((SCREEN + TENSORS).splitlines())


def test_json_is_one_document_of_its_type(run: Run, model: Path) -> None:
    answer = run("inspect", model.name, "--json", "--tensors")
    document = msgspec.json.decode(answer.out, type=documents.Headers, strict=True)
    (line,) = document.files
    assert document.schema_version == 1
    assert (line.format, line.complete, line.tensors, line.parameters) == ("safetensors", True, 2, 1024)
    assert line.dtypes["F32"] == documents.DtypeLine(1, 1008, 4032, 32.0)
    assert line.listed is not None
    assert {each.name for each in line.listed} == {"layer.weight", "layer.bias"}
    promised = {"path", "format", "complete", "tensors", "parameters", "dtypes", "metadata", "needs"}
    assert promised <= set(json.loads(answer.out)["files"][0])
    assert json.loads(run("inspect", model.name, "--json").out)["files"][0]["listed"] is None


def test_a_folder_gets_a_summary(run: Run, model: Path, home: Path) -> None:
    (home / "more").mkdir()
    torch.save({"w": torch.zeros(2000)}, home / "more" / "w.pt")
    (home / "more" / "notes.txt").write_text("no model")
    (home / "link.pt").symlink_to("more/w.pt")
    lines = run("inspect", ".").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["Format", "PyTorch", "safetensors", "PyTorch"]
    assert lines[3].split("\t")[1:3] == ["2,000", "32.00"]
    assert lines[3].split("\t")[4:] == ["complete", "more/w.pt"]


def test_the_files_of_a_sharded_model_are_one_line(run: Run, home: Path) -> None:
    weights = {}
    for number in range(3):
        name = f"model-{number}.safetensors"
        safetensors.numpy.save_file({f"w{number}": numpy.zeros(100, "f4")}, home / name)
        weights[f"w{number}"] = name
    (home / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    torch.save({"w": torch.zeros(3)}, home / "w.pt")
    lines = run("inspect", ".").out.splitlines()
    assert len(lines) == 3
    assert lines[1].split("\t")[:2] == ["safetensors in 3 files", "300"]
    (home / "model-1.safetensors").unlink()
    answer = run("inspect", "model.safetensors.index.json")
    assert "model-1.safetensors, its tensors: is missing" in answer.out
    assert "ends before what its header promises" in answer.out


def test_an_artifact_of_the_inventory(run: Run, home: Path) -> None:
    makers.layouts()["ollama"](home)
    revision = home / ".cache" / "huggingface" / "hub" / "models--a--b"
    blob = revision / "blobs" / ("0" * 64)
    snapshot = revision / "snapshots" / ("1" * 40)
    for folder in (blob.parent, snapshot, revision / "refs"):
        folder.mkdir(parents=True)
    safetensors.numpy.save_file({"w": numpy.zeros(77, "f4")}, blob)
    (snapshot / "model.safetensors").symlink_to(f"../../blobs/{blob.name}")
    (revision / "refs" / "main").write_text("1" * 40)
    answer = run("inspect", "hf:model/a/b", "--json")
    (line,) = json.loads(answer.out)["files"]
    assert (line["parameters"], os.path.basename(line["path"])) == (77, "model.safetensors")
    facts = json.loads(run("show", "hf:model/a/b", "--json").out)["facts"]
    header = {"Format": "safetensors", "Parameters": "77", "Precision": "F32, 32.00 bits a weight"}
    assert facts == {**header, "Verdict": "safe"}


def test_what_is_no_model_and_what_is_not_there(run: Run, model: Path, home: Path) -> None:
    (home / "notes.txt").write_text("some words")
    answer = run("inspect", "notes.txt")
    assert (answer.code, answer.out) == (1, "")
    assert "no model file" in answer.err
    answer = run("inspect", "notes.txt", model.name)
    assert (answer.code, answer.out) == (3, SCREEN)
    answer = run("inspect", "nowhere")
    assert (answer.code, answer.out) == (1, "")
    assert "modelyard ls -q" in answer.err
    (home / "empty").mkdir()
    assert run("inspect", "empty").code == 1
    assert run("inspect").code == 2


def test_truncated(run: Run, model: Path) -> None:
    os.truncate(model, 2000)
    answer = run("inspect", model.name)
    assert answer.code == 0
    assert "1.95 KiB, ends before what its header promises" in answer.out
    os.truncate(model, 50)
    answer = run("inspect", model.name)
    assert (answer.code, answer.out) == (1, "")
    assert "broke off" in answer.err
    assert json.loads(run("inspect", model.name, "--json").out)["problems"][0]["code"] == "truncated"


def test_names_of_strangers_do_not_reach_the_terminal(run: Run, home: Path) -> None:
    table = {
        "__metadata__": {"\x1b[2Jkey": "\u202eevil"},
        "\x1b]0;owned\x07": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]},
    }
    text = json.dumps(table).encode()
    (home / "m").write_bytes(len(text).to_bytes(8, "little") + text)
    out = run("inspect", "m", "--tensors").out
    assert "\\x1b[2Jkey: \\u202eevil" in out
    assert not set(out) & {"\x1b", "\x07", "\u202e"}
    assert "owned" in out


def test_reading_leaves_no_trace(run: Run, model: Path) -> None:
    os.utime(model, ns=(1, 1))
    run("inspect", model.name)
    run("inspect", ".")
    assert model.stat().st_atime_ns == 1


def test_the_state_of_a_training_is_not_counted_as_parameters(run: Run, home: Path) -> None:
    """Adam keeps two numbers for each parameter: a checkpoint looked three times as large as its model."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Linear(5, 2))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    whole = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()}
    torch.save(whole, home / "checkpoint.pt")
    torch.save(optimizer.state_dict(), home / "optimizer.pt")
    torch.save({"scaler.mean": torch.ones(3), "state.0.weight": torch.ones(2)}, home / "plain.pt")
    names = ("checkpoint.pt", "optimizer.pt", "plain.pt")
    checkpoint, alone, plain = json.loads(run("inspect", *names, "--json").out)["files"]
    assert (checkpoint["parameters"], checkpoint["training"], checkpoint["tensors"]) == (37, 78 + 5056, 17)
    assert set(checkpoint["dtypes"]) == {"F32"}
    assert (alone["parameters"], alone["training"]) == (0, 78)
    assert (plain["parameters"], plain["training"]) == (5, 0)
    answer = run("inspect", "checkpoint.pt").out
    assert "Parameters    37 in 4 tensors\n" in answer and "Training      5,134 numbers of its state\n" in answer


def test_a_checkpoint_is_as_large_as_its_model(run: Run, home: Path) -> None:
    """Not as its optimizer, which is the larger file."""
    folder = makers.trainer_checkpoint(home / "runs/a", 500)
    safetensors.numpy.save_file({"w": numpy.ones(7, "f4")}, folder / "model.safetensors")
    torch.save({"state": {0: {"exp_avg": torch.ones(7), "exp_avg_sq": torch.ones(7)}}}, folder / "optimizer.pt")
    (line,) = json.loads(run("ls", "--headers", "--json").out)["artifacts"]
    assert (line["parameters"], line["format"]) == (7, "safetensors")
