"""What torch.save writes, today's files and those of before 1.6, becomes safetensors with the same bits."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from convert.checks import converted, holds, refused
from modelyard.api.converting import Wish

KINDS = (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.complex64, torch.float8_e4m3fn,
    torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz,
)  # fmt: skip
both = pytest.mark.parametrize("zipped", [True, False])


def save(value: object, path: Path, zipped: bool = True) -> Path:
    """A file as torch writes it."""
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


def model() -> torch.nn.Module:
    """A network with parameters and buffers."""
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))


class Deep(torch.nn.Module):
    """A module with everything that `state_dict` treats in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = model()
        self.again = self.inner
        self.register_buffer("kept", torch.ones(3))
        self.register_buffer("passing", torch.ones(3), persistent=False)
        self.loose = torch.zeros(2)
        self.nothing = None


@both
def test_every_dtype(zipped: bool, home: Path) -> None:
    state = {str(kind): torch.randint(0, 9, (5, 3)).to(kind) for kind in KINDS}
    state["special"] = torch.tensor([float("nan"), -0.0, float("inf"), 1e-45])
    found = converted(save(state, home / "m.pt", zipped))
    holds(home / "m.safetensors", state)
    assert (found.tensors, found.left_out) == (len(state), ())
    with safetensors.safe_open(home / "m.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_every_tensor_is_aligned_and_the_table_has_no_gaps(home: Path) -> None:
    state = {str(kind): torch.randint(0, 9, (5, 3)).to(kind) for kind in reversed(KINDS)}
    converted(save(state, home / "m.pt"))
    data = (home / "m.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    table = {key: each for key, each in json.loads(data[8 : 8 + length]).items() if key != "__metadata__"}
    assert length % 8 == 0
    assert all(each["data_offsets"][0] % state[name].dtype.itemsize == 0 for name, each in table.items())
    edges = sorted(tuple(each["data_offsets"]) for each in table.values())
    assert [start for start, _ in edges] == [0, *(stop for _, stop in edges[:-1])]
    assert edges[-1][1] == len(data) - 8 - length


@both
def test_scalars_and_zero_size(zipped: bool, home: Path) -> None:
    state = {"one": torch.tensor(3.5), "none": torch.empty(0), "flat": torch.empty(4, 0, 7), "bit": torch.tensor(True)}
    converted(save(state, home / "m.pt", zipped))
    holds(home / "m.safetensors", state)


@both
def test_views_and_strides(zipped: bool, home: Path) -> None:
    whole = torch.arange(120, dtype=torch.float32).view(2, 3, 4, 5)
    state = {
        "whole": whole, "turned": whole.permute(3, 1, 0, 2), "part": whole[1:, :2, 1::2], "last": whole[1, 2, 3, 4],
        "every": whole.view(-1)[::7], "channels": whole.contiguous(memory_format=torch.channels_last),
        "spread": torch.ones(3, 1, 2).expand(3, 5, 2), "one": torch.tensor(2.0).expand(4, 4), "empty": whole[:0],
    }  # fmt: skip
    found = converted(save(state, home / "m.pt", zipped))
    holds(home / "m.safetensors", state)
    assert any("row after row" in each for each in found.notes)


@both
def test_tied_weights(zipped: bool, home: Path) -> None:
    shared = torch.randn(7, 5)
    state = {"embed": shared, "head": shared, "turned": shared.T, "other": shared.clone()}
    found = converted(save(state, home / "m.pt", zipped))
    assert found.tied == {"head": "embed"}
    holds(home / "m.safetensors", {name: each for name, each in state.items() if name != "head"})
    with safetensors.safe_open(home / "m.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "head": "embed"}
    converted(home / "m.pt", Wish(copy_tied=True), home / "all.safetensors")
    holds(home / "all.safetensors", state)


class Tied(torch.nn.Module):
    """Two names of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(5, 3)
        self.head = torch.nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight


def test_tied_weights_load_into_the_model_by_safetensors_itself(home: Path) -> None:
    whole, fresh = Tied(), Tied()
    converted(save(whole.state_dict(), home / "m.pt"))
    missing, unexpected = safetensors.torch.load_model(fresh, home / "m.safetensors")
    assert not missing
    assert not unexpected
    assert torch.equal(fresh.head.weight, whole.head.weight)


@both
def test_a_checkpoint_says_what_it_takes_and_what_it_leaves(zipped: bool, home: Path) -> None:
    whole = model()
    optimizer = torch.optim.Adam(whole.parameters())
    whole(torch.ones(3, 3)).sum().backward()
    optimizer.step()
    saved = {
        "epoch": 3, "state_dict": whole.state_dict(), "optimizer": optimizer.state_dict(), "arch": "tiny", "best": 0.5,
        "hyper_parameters": {"lr": 0.1, "sizes": [1, 2]}, "callbacks": {"best_model_score": torch.tensor(0.1)},
    }  # fmt: skip
    found = converted(save(saved, home / "m.pt", zipped))
    holds(home / "m.safetensors", whole.state_dict())
    assert any("`state_dict`" in each for each in found.notes)
    assert {each.name: each.why.partition(",")[0] for each in found.left_out} == {
        "optimizer": "the state of an optimizer",
        "callbacks": "state of training",
    }
    assert found.metadata == {
        "format": "pt",
        "epoch": "3",
        "arch": "tiny",
        "best": "0.5",
        "hyper_parameters": '{"lr": 0.1, "sizes": [1, 2]}',
    }
    converted(home / "m.pt", Wish(part="optimizer"), home / "o.safetensors")
    flat = {f"state.{at}.{key}": each for at, state in optimizer.state_dict()["state"].items()
            for key, each in state.items()}  # fmt: skip
    holds(home / "o.safetensors", flat)


def test_several_parts_are_asked_about_and_never_guessed(home: Path) -> None:
    saved = {"model": {"w": torch.ones(2)}, "ema": {"w": torch.zeros(2)}}
    save(saved, home / "m.pt")
    wrong = refused(home / "m.pt")
    assert (wrong.code, wrong.message) == (
        "ambiguous",
        "holds tensors in several parts: `model` (1 tensors), `ema` (1 tensors)",
    )
    assert "--part" in wrong.hint
    converted(home / "m.pt", Wish(part="ema"))
    holds(home / "m.safetensors", {"w": torch.zeros(2)})
    converted(home / "m.pt", Wish(part="."), home / "all.safetensors")
    holds(home / "all.safetensors", {"model.w": torch.ones(2), "ema.w": torch.zeros(2)})
    assert refused(home / "m.pt", Wish(part="nothing"), home / "x").code == "no-part"


def test_the_prefix_of_data_parallel_training_is_told_and_kept(home: Path) -> None:
    state = {f"module.{name}": each for name, each in model().state_dict().items()}
    save({"state_dict": OrderedDict(state)}, home / "m.pt")
    found = converted(home / "m.pt")
    holds(home / "m.safetensors", state)
    assert any("--strip module." in each for each in found.notes)
    converted(home / "m.pt", Wish(strip="module."), home / "s.safetensors")
    holds(home / "s.safetensors", {name.removeprefix("module."): each for name, each in state.items()})
    assert refused(home / "m.pt", Wish(strip="other."), home / "x").code == "no-part"


@both
@pytest.mark.filterwarnings("ignore")
def test_a_whole_module_gives_its_state_dict(zipped: bool, home: Path) -> None:
    whole = Deep()
    found = converted(save(whole, home / "m.pt", zipped), Wish(copy_tied=True))
    holds(home / "m.safetensors", whole.state_dict())
    left = {each.name for each in found.left_out}
    assert {"passing", "loose"} <= left
    assert any(each.endswith(".Deep") for each in left), "the class that loading would import"


@pytest.mark.filterwarnings("ignore")
def test_torchscript(home: Path) -> None:
    whole = model()
    torch.jit.save(torch.jit.script(whole), home / "m.pt")
    converted(home / "m.pt")
    holds(home / "m.safetensors", whole.state_dict())


def test_several_files_with_the_usual_index(home: Path) -> None:
    state = {f"layer.{at}": torch.randn(10, 10) for at in range(7)}
    state["tied"] = state["layer.5"]
    found = converted(save(state, home / "m.pt"), Wish(max_shard=1000))
    index = json.loads((home / "m.safetensors.index.json").read_text())
    assert [Path(each.path).name for each in found.written] == [
        f"m-{at:05d}-of-00004.safetensors" for at in range(1, 5)
    ]
    assert index["metadata"] == {"total_size": 2800}
    assert set(index["weight_map"]) == set(state) - {"tied"}
    for each in found.written:
        names = [name for name, file in index["weight_map"].items() if file == Path(each.path).name]
        holds(Path(each.path), {name: state[name] for name in names})
        assert sum(state[name].nbytes for name in names) <= 1000


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=some.lists(some.integers(0, 5), max_size=4), kind=some.sampled_from(KINDS), zipped=some.booleans(),
    data=some.data(),
)  # fmt: skip
def test_any_shape_stride_and_dtype(
    shape: list[int], kind: torch.dtype, zipped: bool, data: some.DataObject, home: Path
) -> None:
    for path in home.iterdir():
        path.unlink()
    strides = [data.draw(some.integers(0, 9)) for _ in shape]
    first = data.draw(some.integers(0, 9))
    last = sum((side - 1) * step for side, step in zip(shape, strides, strict=True)) if 0 not in shape else 0
    storage = torch.randint(0, 256, ((first + last + 1) * kind.itemsize,), dtype=torch.uint8)
    if kind is torch.bool:
        storage &= 1
    tensor = storage.view(kind).as_strided(shape, strides, first)
    converted(save({"w": tensor, "again": tensor}, home / "m.pt", zipped), Wish(copy_tied=True))
    holds(home / "m.safetensors", {"w": tensor, "again": tensor})


class Hoarding(torch.nn.Linear):
    """A module that keeps tensors where `state_dict` does not look."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.cache = {"rows": [torch.ones(3), self.weight.data]}


def test_tensors_that_nothing_names_are_told(home: Path) -> None:
    """Under keys that are no texts, and in the attributes of modules; views of what was taken are not lost."""
    told = "tensors that no text names: 1 of 12 bytes"
    found = converted(save({("a", 1): torch.ones(3), "b": {"w": torch.ones(2)}}, home / "keys.pt"))
    assert [(each.name, each.why) for each in found.left_out] == [("?", told)]
    found = converted(save(Hoarding(), home / "module.pt"))
    assert ("cache", told) in [(each.name, each.why) for each in found.left_out]
    found = converted(save(torch.nn.LSTM(2, 2), home / "lstm.pt"))
    assert not any("no text names" in each.why for each in found.left_out)


@pytest.mark.filterwarnings("ignore")
def test_files_beside_the_weights_and_bytes_behind_them_are_told(home: Path) -> None:
    path = save({"a": torch.ones(2)}, home / "old.pt", zipped=False)
    path.write_bytes(path.read_bytes() + b"x" * 25)
    assert ("end", "25 bytes behind the last storage") in [(each.name, each.why) for each in converted(path).left_out]
    script = torch.jit.trace(Hoarding(), torch.ones(1, 2))  # type: ignore[no-untyped-call]
    script.save(home / "script.pt", _extra_files={"labels.txt": "a b"})
    left = {each.name: each.why for each in converted(home / "script.pt").left_out}
    assert left["extra/labels.txt"] == "a file of the archive, 3 bytes"
    both = home / "both.pt"
    both.write_bytes(save({"a": torch.ones(3)}, home / "one.pt").read_bytes() * 2)
    (left_out,) = converted(both).left_out
    assert left_out.why.endswith(" bytes lie before the archive that is told here")
    plain = converted(save({"a": torch.ones(2)}, home / "plain.pt"))
    assert plain.left_out == ()
