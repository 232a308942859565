"""Files that torch and safetensors write: every tensor lies where its header says, byte for byte."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from transformers import BertConfig, BertModel

from formats.checks import Array, by_name, header, holds, problem

KINDS = (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.complex64, torch.float8_e4m3fn,
    torch.float8_e5m2,
)  # fmt: skip


def raw(tensor: torch.Tensor) -> Array:
    """A tensor as an array of the same bytes, which numpy may not have the dtype for."""
    flat = tensor.detach().contiguous()
    if flat.dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        flat = flat.view(torch.uint16 if flat.dtype == torch.bfloat16 else torch.uint8)
    return flat.numpy()


def model() -> torch.nn.Module:
    """A network with parameters and buffers."""
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict(zipped: bool, home: Path) -> None:
    state = model().state_dict()
    torch.save(state, home / "m.pt", _use_new_zipfile_serialization=zipped)
    found = header(home / "m.pt")
    holds(home / "m.pt", found, {name: raw(each) for name, each in state.items()})
    assert (found.format, found.complete) == ("PyTorch" if zipped else "PyTorch, before 1.6", True)
    assert found.loads == ("torch.load(path, weights_only=True)",)
    assert found.parameters == sum(each.numel() for each in state.values())


@pytest.mark.parametrize("zipped", [True, False])
def test_every_dtype(zipped: bool, home: Path) -> None:
    state = {str(kind): torch.ones(5, 3).to(kind) for kind in KINDS}
    torch.save(state, home / "m.pt", _use_new_zipfile_serialization=zipped)
    found = header(home / "m.pt")
    holds(home / "m.pt", found, {name: raw(each) for name, each in state.items()})
    assert by_name(found)["torch.bfloat16"].dtype == "BF16"
    assert len({each.dtype for each in found.tensors}) == len(KINDS)


@pytest.mark.parametrize("zipped", [True, False])
def test_views_and_tied_weights(zipped: bool, home: Path) -> None:
    whole = torch.arange(24, dtype=torch.float32).view(4, 6)
    state = {
        "whole": whole,
        "turned": whole.T,
        "part": whole[1:3, 2:4],
        "tied": whole,
        "none": whole[:0],
        "one": whole[2, 3],
    }
    torch.save(state, home / "m.pt", _use_new_zipfile_serialization=zipped)
    found = header(home / "m.pt")
    holds(home / "m.pt", found, {name: raw(each) for name, each in state.items()})
    assert len({each.storage for each in found.tensors}) == 1
    assert found.parameters == 24
    assert by_name(found)["turned"].strides == (1, 6)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_a_whole_module_has_the_names_of_its_state_dict(zipped: bool, home: Path) -> None:
    whole = model()
    torch.save(whole, home / "m.pt", _use_new_zipfile_serialization=zipped)
    found = header(home / "m.pt")
    holds(home / "m.pt", found, {name: raw(each) for name, each in whole.state_dict().items()})
    assert found.architecture == "Sequential"
    assert "weights_only=False" in found.loads[0]


def test_a_checkpoint_with_an_optimizer(home: Path) -> None:
    whole = model()
    optimizer = torch.optim.Adam(whole.parameters())
    whole(torch.ones(3, 3)).sum().backward()
    optimizer.step()
    torch.save({"epoch": 3, "state_dict": whole.state_dict(), "optimizer": optimizer.state_dict()}, home / "m.pt")
    found = header(home / "m.pt")
    assert ("epoch", "3") in found.metadata
    assert {"state_dict.0.weight", "optimizer.state.0.exp_avg"} <= set(by_name(found))


def test_quantised_sparse_and_meta_tensors(home: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)
        state = {"q": quantised, "s": torch.eye(3).to_sparse(), "m": torch.empty(2, 3, device="meta")}
        torch.save(state, home / "m.pt")
    named = by_name(header(home / "m.pt"))
    assert (named["q"].dtype, named["q"].bytes) == ("QI8", 4)
    assert (named["s.indices"].shape, named["s.values"].shape) == ((2, 3), (3,))
    assert (named["m"].offset, named["m"].shape) == (None, (2, 3))


@pytest.mark.filterwarnings("ignore")
def test_torchscript(home: Path) -> None:
    whole = model()
    torch.jit.save(torch.jit.script(whole), home / "m.pt")
    found = header(home / "m.pt")
    assert (found.format, found.architecture) == ("TorchScript", "Sequential")
    holds(home / "m.pt", found, {name: raw(each) for name, each in whole.state_dict().items()})


def test_an_exported_program(home: Path) -> None:
    whole = torch.nn.Linear(2, 3)
    torch.export.save(torch.export.export(whole, (torch.zeros(1, 2),)), home / "m.pt2")
    found = header(home / "m.pt2")
    holds(home / "m.pt2", found, {name: raw(each) for name, each in whole.state_dict().items()})
    assert (found.format, found.framework) == ("PyTorch exported program", f"PyTorch {torch.__version__}")


def test_safetensors(home: Path) -> None:
    state = {str(kind): torch.ones(5, 3).to(kind) for kind in KINDS}
    safetensors.torch.save_file(state, home / "m", metadata={"format": "pt"})
    found = header(home / "m")
    holds(home / "m", found, {name: raw(each) for name, each in state.items()})
    assert (found.framework, found.metadata, found.complete) == ("PyTorch", (("format", "pt"),), True)


def test_a_model_in_several_files(home: Path) -> None:
    config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=99)
    whole = BertModel(config)
    whole.save_pretrained(home, max_shard_size="20KB")
    index = home / "model.safetensors.index.json"
    found = header(index)
    assert found.parameters == sum(each.numel() for each in whole.parameters())
    holds(
        index,
        found,
        {name: raw(each) for name, each in whole.state_dict().items() if name != "embeddings.position_ids"},
    )
    assert found.complete
    assert all(each.exists for each in found.needs)
    missing = found.needs[1].path
    (home / missing).unlink()
    found = header(index)
    assert not found.complete
    assert [each.path for each in found.needs if not each.exists] == [missing]
    assert header(home / "config.json").architecture == "BertModel"


def test_truncated(home: Path) -> None:
    torch.save(model().state_dict(), home / "new.pt")
    torch.save(model().state_dict(), home / "old.pt", _use_new_zipfile_serialization=False)
    safetensors.torch.save_file(model().state_dict(), home / "st")
    for path in home.iterdir():
        data = path.read_bytes()
        path.write_bytes(data[:-10])
    assert problem(home / "new.pt").code == "truncated"
    assert not header(home / "old.pt").complete
    assert not header(home / "st").complete


def test_a_storage_that_is_shorter_than_its_tensor(home: Path) -> None:
    torch.save({"w": torch.zeros(100)}, home / "m.pt")
    with zipfile.ZipFile(home / "m.pt") as archive, zipfile.ZipFile(home / "lie.pt", "w") as other:
        for name in archive.namelist():
            other.writestr(name, b"short" if name.endswith("data/0") else archive.read(name))
    assert not header(home / "lie.pt").complete


def test_a_header_that_lies(home: Path) -> None:
    safetensors.torch.save_file({"w": torch.zeros(100)}, home / "st")
    data = (home / "st").read_bytes()
    (home / "st").write_bytes(data.replace(b"[100]", b"[999]"))
    assert problem(home / "st").code == "lies"
