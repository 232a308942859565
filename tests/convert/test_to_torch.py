"""`--to torch`: a state dict that `torch.load(weights_only=True)` reads, with the same bits, made without torch."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy
import pytest
import safetensors.torch
import torch
from huggingface_hub import save_torch_state_dict

from convert.checks import converted, damaged_on_their_way, holds, refused, words
from convert.test_torch_copies import KINDS
from modelyard.api.converting import Wish
from modelyard.apply.disk import Disk
from modelyard.convert import stored_zip
from walk.disks import loop_disk

TORCH = Wish(to="torch")


def loads(path: Path, wanted: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A file is a dict of exactly these tensors to torch, bit for bit, however it is opened; and a whole archive."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None, "the checksums"
        assert all(each.header_offset % 2**63 >= 0 and each.compress_type == 0 for each in archive.infolist())
    found: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    mapped = torch.load(path, weights_only=True, mmap=True)
    assert list(found) == list(mapped)
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        for each in (found[name], mapped[name]):
            assert (each.dtype, each.shape) == (tensor.dtype, tensor.shape), name
            assert each.is_contiguous(), name
            assert words(each) == words(tensor), name
    return found


def test_every_dtype_there_and_back(home: Path) -> None:
    state = {str(kind): torch.randint(0, 9, (5, 3)).to(kind) for kind in KINDS}
    state |= {"special": torch.tensor([float("nan"), -0.0, float("inf"), 1e-45]), "one": torch.tensor(2.5)}
    state |= {"none": torch.empty(0, 3), "größe 漢": torch.ones(300)}
    safetensors.torch.save_file(state, home / "m.safetensors", {"format": "pt", "author": "nobody"})
    found = converted(home / "m.safetensors", TORCH)
    loads(home / "m.pt", state)
    assert [each.name for each in found.left_out] == ["author"]
    assert found.tensors == len(state)
    converted(home / "m.pt", target=home / "back")
    holds(home / "back.safetensors", state)


def test_every_storage_is_aligned_as_torch_has_it(home: Path) -> None:
    state = {f"{at}": torch.ones(at + 1, dtype=torch.int8) for at in range(70)}
    safetensors.torch.save_file(state, home / "m.safetensors")
    converted(home / "m.safetensors", TORCH)
    data = (home / "m.pt").read_bytes()
    with zipfile.ZipFile(home / "m.pt") as archive:
        for each in archive.infolist():
            name, extra = struct.unpack_from("<HH", data, each.header_offset + 26)
            assert (each.header_offset + 30 + name + extra) % 64 == 0, each.filename


def test_tied_weights_are_tied_again(home: Path) -> None:
    model = torch.nn.ModuleDict({"embed": torch.nn.Embedding(5, 3), "head": torch.nn.Linear(3, 5, bias=False)})
    model["head"].weight = model["embed"].weight
    safetensors.torch.save_model(model, str(home / "m.safetensors"))
    found = converted(home / "m.safetensors", TORCH)
    assert found.tied == {"head.weight": "embed.weight"} or found.tied == {"embed.weight": "head.weight"}
    loaded = loads(home / "m.pt", model.state_dict())
    assert loaded["embed.weight"].data_ptr() == loaded["head.weight"].data_ptr()
    assert (home / "m.pt").stat().st_size < 4000
    converted(home / "m.safetensors", Wish(to="torch", copy_tied=True), home / "two.pt")
    loaded = loads(home / "two.pt", model.state_dict())
    assert loaded["embed.weight"].data_ptr() != loaded["head.weight"].data_ptr()


@pytest.mark.parametrize("safe", [True, False])
def test_sets_of_files_with_their_index(safe: bool, home: Path) -> None:
    state = {f"layer.{at}.weight": torch.randn(10, 10) for at in range(7)} | {"half": torch.ones(3).bfloat16()}
    (home / "set").mkdir()
    save_torch_state_dict(state, home / "set", max_shard_size=1000, safe_serialization=safe)
    (index,) = (home / "set").glob("*.index.json")
    found = converted(index, TORCH, home / "m.pt")
    loads(home / "m.pt", state)
    assert len(found.others) == len(list((home / "set").iterdir())) - 1
    assert sum(each.tensors for each in found.others) == len(state)
    converted(index, Wish(max_shard=2000), home / "again")
    maps = json.loads((home / "again.safetensors.index.json").read_text())["weight_map"]
    assert len(set(maps.values())) == 2
    converted(index, Wish(), home / "one")
    holds(home / "one.safetensors", state)
    beside = converted(index, TORCH)
    assert Path(beside.written[0].path).name == ("model.pt" if safe else "pytorch_model.pt")
    next((home / "set").glob("*00002*")).unlink()
    assert refused(index, TORCH, home / "x.pt").code == "truncated"


def test_a_set_whose_index_leads_out_of_its_folder(home: Path) -> None:
    safetensors.torch.save_file({"w": torch.ones(2)}, home / "secret.safetensors")
    (home / "set").mkdir()
    (home / "set" / "m.safetensors.index.json").write_text('{"weight_map": {"w": "../secret.safetensors"}}')
    assert refused(home / "set" / "m.safetensors.index.json", TORCH).code in ("truncated", "outside", "unsupported")


def test_a_set_of_which_a_file_is_replaced_meanwhile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "set").mkdir()
    save_torch_state_dict({f"{at}": torch.ones(99) for at in range(4)}, home / "set", max_shard_size=500)
    real = Disk.put

    def meanwhile(self: Disk, descriptor: int, data: bytes, at: int) -> None:
        monkeypatch.setattr(Disk, "put", real)
        shard = sorted((home / "set").glob("*.safetensors"))[2]
        data_before = shard.read_bytes()
        shard.rename(home / "old")
        shard.write_bytes(data_before)
        (home / "old").unlink()
        real(self, descriptor, data, at)

    monkeypatch.setattr(Disk, "put", meanwhile)
    assert refused(home / "set" / "model.safetensors.index.json", TORCH, home / "x.pt").code == "changed"
    assert not (home / "x.pt").exists()


def test_other_sources_and_strides_of_wide_numbers(home: Path) -> None:
    turned = torch.randn(4, 5, 3, dtype=torch.complex128).permute(2, 0, 1)
    torch.save({"w": turned, "part": turned[1:, ::2]}, home / "m.pt", _use_new_zipfile_serialization=False)
    converted(home / "m.pt", TORCH, home / "n.pt")
    loads(home / "n.pt", {"w": turned, "part": turned[1:, ::2]})
    numpy.savez(home / "a.npz", x=numpy.arange(6.0))
    converted(home / "a.npz", TORCH)
    loads(home / "a.pt", {"x": torch.arange(6.0, dtype=torch.float64)})


def test_more_than_4_gib_is_an_archive_of_zip64(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_zip, "WIDE", 300)  # the fields of ZIP64 are used from a length of a few bytes on
    state = {"long": torch.randn(1000), "short": torch.ones(3)}
    safetensors.torch.save_file(state, home / "m.safetensors")
    real = struct.pack

    def pack(code: str, *values: object) -> bytes:
        wide = ("<4sHHHHHIIIHH", "<4sHHHHHHIIIHHHHHII", "<4sHHHHIIH")
        fixed = [0xFFFFFFFF if code in wide and each == 300 else each for each in values]
        return real(code, *fixed)

    monkeypatch.setattr("modelyard.convert.stored_zip.struct.pack", pack)
    converted(home / "m.safetensors", TORCH)
    monkeypatch.undo()
    loads(home / "m.pt", state)


def test_names_that_torch_files_cannot_have(home: Path) -> None:
    safetensors.torch.save_file({"n" * 500: torch.ones(1)}, home / "m.safetensors")
    assert refused(home / "m.safetensors", TORCH).code == "too-large"


def test_a_checksum_of_elements_that_were_damaged_on_their_way(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    safetensors.torch.save_file({"w": torch.ones(99)}, home / "m.safetensors")
    damaged_on_their_way(monkeypatch)
    assert refused(home / "m.safetensors", TORCH).code == "unequal"


@pytest.mark.parametrize("to", ["torch", "skops"])
def test_killed_half_way(to: str, home: Path) -> None:
    source = home / "m.safetensors"
    if to == "torch":
        safetensors.torch.save_file({"w": torch.ones(500)}, source)
    else:
        source = home / "m.pkl"
        source.write_bytes(pickle.dumps([numpy.ones(500)]))
    program = "import os, sys; from pathlib import Path; from modelyard.apply.disk import Disk; " \
        "from modelyard.api.converting import *; Disk.sync = lambda *_: os.kill(os.getpid(), 9); " \
        "convert(Path(sys.argv[1]), None, Wish(to=sys.argv[2]))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program, str(source), to], check=False)
    assert done.returncode == -9
    left = [path.name for path in home.iterdir() if path != source]
    assert len(left) == 1
    assert left[0].startswith(".modelyard-draft")
    converted(source, Wish(to=to))
    assert len(list(home.iterdir())) == 2


def test_no_space_and_a_folder_that_cannot_be_written(tmp_path: Path, home: Path) -> None:
    safetensors.torch.save_file({"w": torch.ones(4 << 20)}, home / "m.safetensors")
    with loop_disk("ext4", tmp_path) as disk:
        with (disk / "full").open("wb") as file, suppress(OSError):
            for at in range(0, 1 << 30, 1 << 20):
                os.posix_fallocate(file.fileno(), at, 1 << 20)
        assert refused(home / "m.safetensors", TORCH, disk / "m.pt").code == "no-space"
        assert sorted(path.name for path in disk.iterdir()) == ["full", "lost+found"]
        (disk / "full").unlink()
        converted(home / "m.safetensors", TORCH, disk / "m.pt")
        loads(disk / "m.pt", {"w": torch.ones(4 << 20)})


def test_a_tensor_that_was_saved_by_itself_gets_a_name(home: Path) -> None:
    for to, name in (("torch", "copy.pt"), ("safetensors", "copy.safetensors")):
        torch.save(torch.randn(2, 3).T, home / "m.pt")
        found = converted(home / "m.pt", Wish(to=to), home / name)
        assert "the tensor has no name in its file; in the copy it is `tensor`" in found.notes
        loaded = torch.load(home / name) if to == "torch" else safetensors.torch.load_file(home / name)
        assert torch.equal(loaded["tensor"], torch.load(home / "m.pt"))
